"""`cosmosq rate`."""

from collections.abc import Sequence
from typing import Any

import click

from cosmosq.cli import output, suggest
from cosmosq.cli.app import App
from cosmosq.cli.options import json_option
from cosmosq.cli.selection import named_jobs
from cosmosq.errors import InvalidInput
from cosmosq.status import Status

_STARS = ("1", "2", "3", "4", "5")
_SHOWN = 20


@click.command()
@click.argument("words", nargs=-1, metavar="[JOB…] [1..5]", shell_complete=suggest.jobs(Status.SUCCEEDED))
@click.option("--note", metavar="TEXT", help="Why; an empty text takes the note away.")
@click.option("--pick", "verdict", flag_value="pick", help="A video to go on with.")
@click.option("--reject", "verdict", flag_value="reject", help="A video to forget.")
@click.option("--clear", is_flag=True, help="Take the jobs' ratings away.")
@click.option(
    "--compare",
    "pair",
    nargs=2,
    metavar="BETTER WORSE",
    shell_complete=suggest.jobs(Status.SUCCEEDED),
    help="Say which of two jobs' videos is better.",
)
@click.option(
    "--import",
    "source",
    metavar="FILE|-",
    shell_complete=suggest.files,
    help="Take over what the report's page exported; - is stdin.",
)
@json_option("an array of objects, with --compare or --import an object")
@click.pass_obj
def rate(
    app: App,
    words: tuple[str, ...],
    note: str | None,
    verdict: str | None,
    clear: bool,
    pair: tuple[str, str] | None,
    source: str | None,
    as_json: bool,
) -> None:
    """Rate videos.

    Each JOB is an id or a range such as 3-9, and behind them are the stars: `cosmosq rate 3 7-9 4`. With --pick,
    --reject or --note the stars may be missing: a single word is a job, and - behind several stands for the stars
    they have.

    From comparisons of two the report makes a score for each video (Bradley–Terry).
    """
    rating = bool(words) or note is not None or verdict is not None or clear
    if rating + (pair is not None) + (source is not None) != 1:
        raise InvalidInput("give jobs and stars, or --compare BETTER WORSE, or --import FILE: one of them")
    if source is not None:
        _import(app, source, as_json)
    elif pair is not None:
        _compare(app, pair, as_json)
    else:
        _rate(app, words, note, verdict, clear, as_json)


def _rate(app: App, words: Sequence[str], note: str | None, verdict: str | None, clear: bool, as_json: bool) -> None:
    from cosmosq import ratings
    from cosmosq.moments import utc_now

    if clear:
        if note is not None or verdict is not None:
            raise InvalidInput("--clear takes all of a rating away: give it alone")
        ids = _jobs(app, words)
        rows = ratings.clear(app.ledger, ids, utc_now())
    else:
        jobs, stars = _stars(words, has_more=note is not None or verdict is not None)
        rows = ratings.rate(app.ledger, _jobs(app, jobs), now=utc_now(), stars=stars, verdict=verdict, note=note)
    if as_json:
        output.emit_json(rows)
    else:
        _tell(rows, "cleared" if clear else "rated")


def _jobs(app: App, words: Sequence[str]) -> list[int]:
    if not words:
        raise InvalidInput("which jobs? give ids or ranges such as 3-9")
    return named_jobs(app, words)


def _stars(words: Sequence[str], *, has_more: bool) -> tuple[Sequence[str], int | None]:
    """The words that are jobs, and the stars behind them."""
    if len(words) == 1 and has_more:
        return words, None
    if len(words) < 2:
        raise InvalidInput("how many stars? write 1 to 5 behind the jobs, or give --pick, --reject or --note")
    if words[-1] == "-" and has_more:
        return words[:-1], None
    if words[-1] not in _STARS:
        raise InvalidInput(f"{words[-1]} is no number of stars: write 1 to 5 behind the jobs, or - to leave them")
    return words[:-1], int(words[-1])


def _tell(rows: Sequence[dict[str, Any]], what: str) -> None:
    for row in rows[:_SHOWN]:
        output.emit(f"job {row['job_id']}: {in_words(row) or 'not rated'}")
    if len(rows) > _SHOWN:
        output.emit(f"… and {len(rows) - _SHOWN} more")
    output.say(f"{len(rows)} {what}")


def in_words(rating: dict[str, Any]) -> str:
    """`★★★★☆ pick: the fog stays`."""
    stars = "★" * rating["stars"] + "☆" * (5 - rating["stars"]) if rating["stars"] else ""
    told = " ".join(word for word in (stars, rating["verdict"]) if word)
    note = output.one_line(rating["note"] or "", 200)
    return f"{told}: {note}" if told and note else told or note


def _compare(app: App, pair: tuple[str, str], as_json: bool) -> None:
    from cosmosq import ratings
    from cosmosq.moments import utc_now

    ids = [job for word in pair for job in named_jobs(app, [word])]
    if len(ids) != 2:
        raise InvalidInput("--compare takes two jobs: the better one, then the worse one")
    ratings.compare(app.ledger, ids[0], ids[1], utc_now())
    if as_json:
        output.emit_json({"better": ids[0], "worse": ids[1]})
    else:
        output.say(f"job {ids[0]} is better than job {ids[1]}")


def _import(app: App, source: str, as_json: bool) -> None:
    from cosmosq import ratings, ratings_file
    from cosmosq.cli.reading import read_text
    from cosmosq.moments import utc_now

    try:
        told = ratings_file.read(read_text(source), utc_now())
    except InvalidInput as error:
        raise InvalidInput(f"{source}: {error}") from error
    found = ratings.import_file(app.ledger, told, workspace=app.workspace.root.name)
    for line in found.refused[:_SHOWN]:
        output.say(f"left out: {line}")
    if len(found.refused) > _SHOWN:
        output.say(f"… and {len(found.refused) - _SHOWN} more left out")
    if as_json:
        output.emit_json(found.as_json())
    else:
        taken = f"{_count(found.ratings, 'rating')} and {_count(found.comparisons, 'comparison')} taken over"
        output.say(f"{taken}, {found.unchanged} were there already, {len(found.refused)} left out")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
