"""Naming jobs on the command line: ids, ranges, `--all` and filters."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from cosmosq.cli import suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import F, with_options
from cosmosq.cli.parsing import OneOf
from cosmosq.errors import InvalidInput, NotFound
from cosmosq.spelling import nearest
from cosmosq.status import Status

_RANGE = re.compile(r"(\d{1,15})(?:-(\d{1,15}))?")
_LARGEST_RANGE = 100_000


@dataclass(frozen=True, kw_only=True)
class Criteria:
    """The filter options as they were given."""

    statuses: tuple[str, ...]
    prompt: str | None
    labels: tuple[str, ...]
    sweep: str | None
    host: str | None
    since: str | None
    until: str | None

    def filter(self, app: App, ids: Sequence[int] = (), statuses: Sequence[str] = ()) -> Any:
        """The query's filter; `statuses` holds where none was given."""
        from cosmosq.report.query import Filter

        return Filter(
            ids=ids,
            statuses=self.statuses or statuses,
            prompt_id=_prompt_id(app, self.prompt) if self.prompt else None,
            labels=_labels(app, self.labels),
            sweep=_sweep_name(app, self.sweep) if self.sweep else None,
            host=_host_name(app, self.host) if self.host else None,
            since=_moment(self.since),
            until=_moment(self.until),
        )


def _prompt_id(app: App, reference: str) -> str:
    from cosmosq import prompts

    return prompts.get(app.ledger, reference).id


def _labels(app: App, pairs: Sequence[str]) -> dict[str, str]:
    """As they were given: no job needs to have them, but one may be misspelt."""
    from cosmosq.report import names

    wanted = parse_pairs(pairs, "--label")
    known = [label.partition("=")[::2] for label, _ in names.labels(app.ledger.path)] if wanted else []
    for key, value in wanted.items():
        values = [word for name, word in known if name == key]
        if not values and (hint := nearest(key, {name for name, _ in known})):
            app.hint(f"no job has a label {key}{hint}")
        elif value not in values and (hint := nearest(value, values)):
            app.hint(f"no job has the label {key}={value}{hint}")
    return wanted


def _moment(text: str | None) -> Any:
    from cosmosq.moments import parse_past, utc_now

    return None if text is None else parse_past(text, utc_now())


def _sweep_name(app: App, name: str) -> str:
    from cosmosq import sweeps

    with app.ledger.read() as session:
        return sweeps.get(session, name).name


def _host_name(app: App, name: str) -> str:
    """A host of cosmosq.toml, or one that only jobs still name: it was removed, or they were imported."""
    from sqlalchemy import select

    from cosmosq.models import Job

    if name not in app.config.hosts:
        with app.ledger.read() as session:
            if session.scalar(select(Job.host).where(Job.host == name).limit(1)) is not None:
                return name
    return app.config.host(name).name


def filter_options(command: F) -> F:
    """Add --status, --prompt, --label, --sweep, --host, --since and --until; the command receives `criteria`."""

    def wrapper(
        *args: Any,
        status: tuple[str, ...],
        prompt: str | None,
        label: tuple[str, ...],
        sweep: str | None,
        host: str | None,
        since: str | None,
        until: str | None,
        **rest: Any,
    ) -> Any:
        criteria = Criteria(
            statuses=status, prompt=prompt, labels=label, sweep=sweep, host=host, since=since, until=until
        )
        return command(*args, criteria=criteria, **rest)

    options = (
        click.option(
            "--status",
            multiple=True,
            type=OneOf([s.value for s in Status]),
            metavar="STATUS",
            help=f"Only jobs of this status ({', '.join(Status)}); may be repeated.",
        ),
        click.option("--prompt", metavar="PROMPT", shell_complete=suggest.prompts, help="Only jobs of this prompt."),
        click.option(
            "--label",
            multiple=True,
            metavar="KEY=VALUE",
            shell_complete=suggest.labels,
            help="Only jobs with this label; may be repeated.",
        ),
        click.option("--sweep", metavar="NAME", shell_complete=suggest.sweeps, help="Only jobs of this sweep."),
        click.option("--host", metavar="HOST", shell_complete=suggest.hosts_of_jobs, help="Only jobs of this host."),
        click.option(
            "--since",
            metavar="WHEN",
            help="Only jobs that ended (else started, else were enqueued) since 22:00, 2026-12-01, or 8h ago (8h).",
        ),
        click.option("--until", metavar="WHEN", help="Only jobs that did so before."),
    )
    return with_options(command, wrapper, options)


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """`name=value` words as a dict; a value may hold further equal signs."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"{option} {pair!r}: write it as name=value")
        found[name.strip()] = value
    return found


def parse_labels(pairs: Iterable[str]) -> dict[str, str]:
    """Labels to hang on jobs."""
    labels = parse_pairs(pairs, "--label")
    for key, value in labels.items():
        if len(key) > 60 or len(value) > 200 or "\x00" in key + value:
            raise InvalidInput(f"--label {key[:60]}: a key has at most 60 characters, a value 200")
    return labels


def parse_ids(words: Sequence[str]) -> list[tuple[int, int]]:
    """Ids and ranges (`3-9`) as inclusive pairs.

    Raises:
        InvalidInput: something else.
    """
    pairs = []
    for word in words:
        match = _RANGE.fullmatch(word)
        if match is None:
            raise InvalidInput(f"{word} is no job: give ids or ranges such as 3-9")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > _LARGEST_RANGE:
            raise InvalidInput(f"{word} is no range of jobs: write the smaller id first, at most 100,000 ids")
        pairs.append((first, last))
    return pairs


def named_jobs(app: App, words: Sequence[str]) -> list[int]:
    """The existing jobs that ids and ranges name.

    Raises:
        NotFound: an id, or all of a range, does not exist.
    """
    from sqlalchemy import select

    from cosmosq.models import Job

    found: dict[int, None] = {}
    with app.ledger.read() as session:
        for first, last in parse_ids(words):
            ids = session.scalars(select(Job.id).where(Job.id.between(first, last)).order_by(Job.id)).all()
            if not ids:
                raise NotFound(
                    f"{first if first == last else f'{first}-{last}'} is no job: `cosmosq status` shows them"
                )
            found.update(dict.fromkeys(ids))
    return list(found)


def chosen_jobs(
    app: App,
    words: Sequence[str],
    everything: bool,
    criteria: Criteria,
    suitable: Sequence[Status],
    *,
    claimed: bool = False,
) -> list[int]:
    """The jobs that a steering command is about: named ones, or `--all` that suit it.

    Args:
        claimed: running ones suit as well, as long as they have not begun.

    Raises:
        InvalidInput: neither jobs nor `--all`, or both.
    """
    if bool(words) == everything:
        raise InvalidInput("name jobs (ids or ranges such as 3-9) or give --all, with filters if you like")
    if words:
        return named_jobs(app, words)
    from cosmosq.report import query

    with app.ledger.read() as session:
        found = query.matching_ids(session, criteria.filter(app, statuses=suitable))
        if claimed:
            found += query.claimed_ids(session, criteria.filter(app, statuses=[Status.RUNNING]))
        return sorted(found)


def show_pairs(pairs: Mapping[str, object]) -> str:
    """`a=1 b=2` for people."""
    return " ".join(f"{key}={value}" for key, value in pairs.items())
