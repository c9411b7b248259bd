"""what jobs of kind upsample are asked, and how longer prompts were made"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upsample_orders",
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("frames", sa.String(length=30), nullable=False),
        sa.Column("max_size", sa.String(length=20), nullable=False),
        sa.Column("variant", sa.Integer(), nullable=False),
        sa.Column("result_id", sa.String(length=15), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_upsample_orders_job_id_jobs")),
        sa.ForeignKeyConstraint(["result_id"], ["prompts.id"], name=op.f("fk_upsample_orders_result_id_prompts")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_upsample_orders")),
    )
    op.create_index(op.f("ix_upsample_orders_result_id"), "upsample_orders", ["result_id"], unique=False)
    op.create_table(
        "upsamplings",
        sa.Column("prompt_id", sa.String(length=15), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("frames", sa.String(length=60), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("upsample_s", sa.Double(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["prompt_id"], ["prompts.id"], name=op.f("fk_upsamplings_prompt_id_prompts")),
        sa.PrimaryKeyConstraint("prompt_id", name=op.f("pk_upsamplings")),
    )
