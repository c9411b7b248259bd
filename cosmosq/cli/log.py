"""`cosmosq log`."""

import codecs
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import job_argument
from cosmosq.cli.selection import named_jobs
from cosmosq.errors import InvalidInput, JobFailed, NotFound
from cosmosq.status import ENDED, Status

if TYPE_CHECKING:
    from cosmosq.hosts import Host
    from cosmosq.report.query import LogPlace

_FOLLOW_S = 0.3


@click.command()
@job_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended; exit code 1 if it failed.")
@click.pass_obj
def log(app: App, job: str, follow: bool) -> None:
    """Print a job's log.

    It is what the engine said in the newest attempt of JOB.
    """
    ids = named_jobs(app, [job])
    if len(ids) != 1:
        raise InvalidInput(f"{job} names {len(ids)} jobs: give one")
    tail = _Tail(app=app, job_id=ids[0])
    with closing(tail):
        status = tail.print_new()
        while follow and status not in ENDED:
            time.sleep(_FOLLOW_S)
            status = tail.print_new()
    if not tail.printed:
        raise NotFound(f"job {ids[0]} is {status} and has no log")
    if follow and status != Status.SUCCEEDED:
        raise JobFailed(f"job {ids[0]} is {status}: `cosmosq show {ids[0]}` says why")


@dataclass
class _Tail:
    """The log of a job: on the host while it runs, on this disk afterwards; the bytes are the same."""

    app: App
    job_id: int
    attempt: int = 0
    printed: int = 0
    """Bytes of this attempt's log that were printed."""
    decoder: codecs.IncrementalDecoder = field(default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"))
    """Keeps half a character for the next look."""
    hosts: dict[str | None, "Host"] = field(default_factory=dict)
    """Those that were asked; a login for each look would be a burden to them."""

    def print_new(self) -> Status:
        """Print what is new and return the job's status."""
        from cosmosq.report import query

        # One view of the ledger: what is printed belongs to the status that is returned.
        with self.app.ledger.read() as session:
            status = query.status_of(session, self.job_id)
            place = query.newest_log(session, self.job_id)
        if place is not None:
            if place.attempt != self.attempt:
                self.attempt, self.printed = place.attempt, 0
                self.decoder.reset()
            while data := self._read(place):
                self.printed += len(data)
                output.emit_raw(output.clean(self.decoder.decode(data)))
        return status

    def _read(self, place: "LogPlace") -> bytes:
        if place.path is not None:
            path = self.app.workspace.root / place.path
            try:
                with path.open("rb") as stream:
                    stream.seek(self.printed)
                    return stream.read(1 << 20)
            except FileNotFoundError as error:
                raise NotFound(f"the log of job {self.job_id} is not there any more: {path}") from error
        from cosmosq.claims import attempt_name
        from cosmosq.session.folder import SessionFolder

        folder = SessionFolder(path=PurePosixPath(place.session_path or ""))
        remote = folder.attempt_log(attempt_name(self.job_id, place.attempt))
        return self._host(place.host).read(remote, offset=self.printed)

    def _host(self, name: str | None) -> "Host":
        from cosmosq.hosts import open_host

        if name not in self.hosts:
            config = self.app.config.host(name)
            self.hosts[name] = open_host(config, self.app.workspace, keyring=self.app.keyring)
        return self.hosts[name]

    def close(self) -> None:
        for host in self.hosts.values():
            host.close()
