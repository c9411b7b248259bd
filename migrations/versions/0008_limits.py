"""what sessions cost, what a worker is allowed, and why nothing starts"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("price_per_hour", sa.Double(), nullable=True))
    op.add_column("sessions", sa.Column("currency", sa.String(length=10), nullable=True))
    op.add_column("workers", sa.Column("limits", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("workers", sa.Column("counts_since", sa.DateTime(), nullable=True))
    op.create_table(
        "standstills",
        sa.Column("host", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_at", sa.DateTime(), nullable=False),
        sa.Column("until_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_standstills")),
    )
