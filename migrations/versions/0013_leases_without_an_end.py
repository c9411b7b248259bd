"""a lease ends with its worker, who is told by its heartbeat: no second end of it"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("jobs", "lease_expires_at")
