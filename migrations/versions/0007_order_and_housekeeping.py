"""where a job stands in the line, what it needs of those before it, and what was pruned"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in batch mode: that would make the table anew, forget which ids were used, and turn indexes round.
    op.add_column("jobs", sa.Column("position", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("recall_requested_at", sa.DateTime(), nullable=True))
    op.execute("UPDATE jobs SET position = id")
    op.drop_index("ix_jobs_host_status_priority_id", table_name="jobs")
    op.drop_index("ix_jobs_host_status_priority_session_key_id", table_name="jobs")
    op.create_index(
        "ix_jobs_host_status_priority_position", "jobs", ["host", "status", sa.text("priority DESC"), "position"]
    )
    op.create_index(
        "ix_jobs_host_status_priority_session_key_position",
        "jobs",
        ["host", "status", "priority", "session_key", "position"],
    )
    op.create_index("ix_jobs_position", "jobs", ["position"])
    op.add_column("dependencies", sa.Column("need", sa.String(length=10), server_default="result", nullable=False))
    op.add_column("sessions", sa.Column("pruned_at", sa.DateTime(), nullable=True))
    op.add_column("artifacts", sa.Column("pruned_at", sa.DateTime(), nullable=True))
