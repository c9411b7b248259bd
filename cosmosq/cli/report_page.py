"""The options of `cosmosq report` that make a page, and what they do."""

import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.selection import with_options
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from cosmosq.report.page import Contents
    from cosmosq.report.query import Filter

F = TypeVar("F", bound=Callable[..., Any])

LAYOUTS = ("parameter", "time", "prompt")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The page as it was asked for."""

    folder: Path | None
    single_file: bool
    layout: str
    show: bool

    def check(self) -> None:
        """Refuse options that have no page to act on."""
        needs = {"--single-file": self.single_file, "--open": self.show}
        if self.folder is None and (named := [option for option, given in needs.items() if given]):
            raise InvalidInput(f"{named[0]} belongs to a page: give --html DIR too")


def page_options(command: F) -> F:
    """Add --html and what belongs to it; the command receives `wanted`."""

    def wrapper(*args: Any, html: Path | None, single_file: bool, layout: str, show: bool, **rest: Any) -> Any:
        wanted = Wanted(folder=html, single_file=single_file, layout=layout, show=show)
        return command(*args, wanted=wanted, **rest)

    folder = click.Path(path_type=Path, file_okay=False)
    options = (
        click.option("--html", type=folder, metavar="DIR", help="Make a page with the videos in this folder."),
        click.option("--single-file", is_flag=True, help="One file DIR/report.html to mail: pictures, no videos."),
        click.option(
            "--layout",
            type=click.Choice(LAYOUTS),
            default="parameter",
            show_default=True,
            help="What the page is laid out by at first.",
        ),
        click.option("--open", "show", is_flag=True, help="Open the page in a browser."),
    )
    return with_options(command, wrapper, options)


def write_page(app: App, session: "Session", which: "Filter", wanted: Wanted) -> None:
    """Make the page that was asked for, and open it."""
    from cosmosq.report import page

    assert wanted.folder is not None
    options = page.Options(layout=wanted.layout, single_file=wanted.single_file)
    index = page.write(wanted.folder, app.workspace, _contents(app, session, which), options)
    output.say(f"wrote {index}: open it in a browser")
    if wanted.show:
        open_page(index)


def _contents(app: App, session: "Session", which: "Filter") -> "Contents":
    from cosmosq.report import page

    return page.read(session, app.workspace, which, title=app.workspace.root.name, now=datetime.now(UTC))


def open_page(index: Path) -> None:
    """Show the page in the person's browser, or say that there is none."""
    if not webbrowser.open(index.resolve().as_uri()):
        output.say(f"no browser was found here: open {index.resolve()} yourself")
