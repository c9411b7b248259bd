"""All that one attempt needs, read from the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy.orm import Session

from cosmosq import upsampling
from cosmosq.claims import Claim
from cosmosq.db import Ledger
from cosmosq.engines.assignment import values_of
from cosmosq.engines.engine import key_digest, offloaded_key, session_key, upsampling_key
from cosmosq.engines.parameter import Values
from cosmosq.engines.spec import render
from cosmosq.engines.upsampling import Request
from cosmosq.hosts import Host
from cosmosq.job_inputs import Input, inputs_of
from cosmosq.models import Job, ParameterSet, Prompt, UpsampleOrder
from cosmosq.paths import Workspace
from cosmosq.session.folder import video_path
from cosmosq.status import Kind


@dataclass(frozen=True, kw_only=True)
class Order:
    """One attempt's job in full."""

    job_id: int
    kind: Kind
    text: str
    values: Values
    engine: str
    inputs: tuple[Input, ...]
    title: str
    """For the name of the results' folder."""
    created_at: datetime
    is_offloaded: bool = False
    """Whether its session must offload all models."""
    upsample: Request | None = None
    """What an upsampling is asked."""

    @property
    def key(self) -> Mapping[str, Any]:
        """What a session must have to serve it."""
        key = upsampling_key(self.engine) if self.upsample else session_key(self.engine, self.values)
        return offloaded_key(key) if self.is_offloaded else key

    def spec(self, host: Host) -> dict[str, Any]:
        """The controlnet spec, or what the upsampler is asked, with paths on the host."""
        return self.spec_under(host.root)

    def spec_under(self, root: PurePosixPath) -> dict[str, Any]:
        """The same with paths below a host's root."""
        if self.upsample:
            video = video_path(root, self.inputs[0].sha256)
            told = {"frames": self.upsample.frames, "max_size": self.upsample.max_size}
            return {"prompt": self.text, "video": str(video), **told}
        return render(self.text, self.values, {i.role: video_path(root, i.sha256) for i in self.inputs})


def load_order(ledger: Ledger, workspace: Workspace, claim: Claim) -> Order:
    """Read the job that was claimed."""
    with ledger.read() as session:
        return read_order(session, workspace, claim.job_id)


def read_order(session: Session, workspace: Workspace, job_id: int) -> Order:
    """Read a job, claimed or not."""
    job = session.get_one(Job, job_id)
    prompt = upsampling.prompt_of(session, job.id)
    title = session.get_one(Prompt, job.prompt_id).name or prompt.text
    row = session.get_one(ParameterSet, job.parameter_set_id)
    values = values_of(row)
    return Order(
        job_id=job.id,
        kind=Kind(job.kind),
        text=prompt.text,
        values=values,
        is_offloaded=job.session_key == key_digest(offloaded_key(session_key(job.engine, values))),
        engine=job.engine,
        inputs=inputs_of(session, workspace, job),
        title=title,
        created_at=job.created_at,
        upsample=_request(session, job.id) if job.kind == Kind.UPSAMPLE else None,
    )


def _request(session: Session, job_id: int) -> Request:
    asked = session.get_one(UpsampleOrder, job_id)
    return Request(frames=asked.frames, max_size=asked.max_size, variant=asked.variant)
