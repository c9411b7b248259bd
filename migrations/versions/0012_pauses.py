"""hosts that are paused, and failures in a row on a host"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pauses",
        sa.Column("host", sa.String(length=60), nullable=False),
        sa.Column("paused_by", sa.String(length=10), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("probe_at", sa.DateTime(), nullable=True),
        sa.Column("probe_job_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("host", "paused_by", name=op.f("pk_pauses")),
    )
    op.create_table(
        "streaks",
        sa.Column("host", sa.String(length=60), nullable=False),
        sa.Column("failures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_streaks")),
    )
