"""whether transfer.py makes the prompt longer itself"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "parameter_sets", sa.Column("upsample_prompt", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
