"""what tells which job is next: the key of its session, when it is due, and whether a person wants it held back"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# As they were in this revision; later ones must not change what this one does.
HINTS = ("vis", "edge", "depth", "seg", "keypoint", "hdmap", "lidar", "upscale")


def upgrade() -> None:
    # Not in batch mode: that would make the table anew, forget which ids were used, and turn indexes round.
    op.add_column("jobs", sa.Column("session_key", sa.String(length=64), server_default="", nullable=False))
    op.add_column("jobs", sa.Column("hold_requested_at", sa.DateTime(), nullable=True))
    op.add_column("jobs", sa.Column("due_at", sa.DateTime(), nullable=True))
    fill_keys()
    op.create_index(
        op.f("ix_jobs_host_status_priority_session_key_id"),
        "jobs",
        ["host", "status", "priority", "session_key", "id"],
        unique=False,
    )


def fill_keys() -> None:
    weights = [f"{hint}_weight" for hint in HINTS]
    checkpoints = [f"{hint}_checkpoint" for hint in HINTS]
    names = ("id", "use_distilled", "is_av_sample", *weights, *checkpoints)
    sets = sa.table("parameter_sets", *(sa.column(name) for name in names))
    jobs = sa.table("jobs", *(sa.column(name) for name in ("id", "engine", "parameter_set_id", "session_key")))
    connection = op.get_bind()
    pairs = sa.select(jobs.c.engine, sets).join_from(jobs, sets, sets.c.id == jobs.c.parameter_set_id).distinct()
    for row in connection.execute(pairs).mappings().all():
        mine = sa.and_(jobs.c.engine == row["engine"], jobs.c.parameter_set_id == row["id"])
        connection.execute(sa.update(jobs).where(mine).values(session_key=digest_of(row)))


def digest_of(row: Any) -> str:
    hints = [hint for hint in HINTS if float(row[f"{hint}_weight"]) > 0]
    key = {
        "engine": row["engine"],
        "pipeline": "distilled" if row["use_distilled"] else "transfer",
        "hints": hints,
        "av": bool(row["is_av_sample"]),
        "checkpoints": {hint: row[f"{hint}_checkpoint"] for hint in hints if row[f"{hint}_checkpoint"]},
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
