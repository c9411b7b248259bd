"""The options of `cosmosq report` that make a page, and what they do."""

import os
import sys
import time
import webbrowser
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmosq.cli import output
from cosmosq.cli.app import App
from cosmosq.cli.options import F, with_options
from cosmosq.cli.parsing import OneOf
from cosmosq.errors import InvalidInput

if TYPE_CHECKING:
    from cosmosq.report.page import Contents, Options
    from cosmosq.report.query import Filter

LAYOUTS = ("parameter", "time", "prompt")
MANY = 5000
"""Jobs from which on a page takes long to open."""
LOOK_S = 2.0
"""Between two looks at the ledger, and between two looks of an open page at its data."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The page as it was asked for."""

    folder: Path | None
    single_file: bool
    mosaic: Path | None
    layout: str
    watch: bool
    show: bool

    @property
    def anything(self) -> bool:
        """Whether a page or a mosaic was asked for."""
        return self.folder is not None or self.mosaic is not None

    def check(self) -> None:
        """Refuse options that have no page to act on."""
        needs = {"--single-file": self.single_file, "--watch": self.watch, "--open": self.show}
        if self.folder is None and (named := [option for option, given in needs.items() if given]):
            raise InvalidInput(f"{named[0]} belongs to a page: give --html DIR too")
        if self.watch and self.single_file:
            raise InvalidInput("--watch and --single-file do not go together: one file cannot look for newer data")


def page_options(command: F) -> F:
    """Add --html and what belongs to it; the command receives `wanted`."""

    def wrapper(
        *args: Any,
        html: Path | None,
        single_file: bool,
        mosaic: Path | None,
        layout: str,
        watch: bool,
        show: bool,
        **rest: Any,
    ) -> Any:
        wanted = Wanted(folder=html, single_file=single_file, mosaic=mosaic, layout=layout, watch=watch, show=show)
        return command(*args, wanted=wanted, **rest)

    folder = click.Path(path_type=Path, file_okay=False)
    options = (
        click.option("--html", type=folder, metavar="DIR", help="Make a page with the videos in this folder."),
        click.option("--single-file", is_flag=True, help="One file DIR/report.html to mail: pictures, no videos."),
        click.option(
            "--mosaic",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="OUT.mp4",
            help="Make one video in which all play at once, labelled.",
        ),
        click.option(
            "--layout",
            type=OneOf(LAYOUTS),
            metavar="BY",
            default="parameter",
            show_default=True,
            help="What page and mosaic are laid out by: parameter, time or prompt.",
        ),
        click.option("--watch", is_flag=True, help="Renew the page as results come, until Ctrl-C."),
        click.option("--open", "show", is_flag=True, help="Open the page in a browser."),
    )
    return with_options(command, wrapper, options)


def write_page(app: App, which: "Filter", wanted: Wanted) -> None:
    """Make the page and the mosaic that were asked for, and open the page."""
    state, contents = _state(app), read_contents(app, which)
    if wanted.mosaic is not None:
        _write_mosaic(app, contents, wanted.mosaic, wanted.layout)
    if wanted.folder is None:
        return
    from cosmosq.report import page

    options = page.Options(
        layout=wanted.layout, single_file=wanted.single_file, watch_s=LOOK_S if wanted.watch else None
    )
    index = page.write(wanted.folder, app.workspace, contents, options)
    output.say(f"wrote {index}: open it in a browser")
    if len(contents.cells) > MANY:
        output.say(f"{len(contents.cells):,} jobs make a slow page: choose some with --sweep, --prompt or --label")
    if wanted.show:
        open_page(index)
    if wanted.watch:
        _watch(app, which, wanted.folder, options, state)


def read_contents(app: App, which: "Filter") -> "Contents":
    """What the page shows, read in one transaction, so that all of it tells of the same moment."""
    from cosmosq.report import page

    with app.ledger.read() as session:
        return page.read(session, app.workspace, which, title=app.workspace.root.name, now=datetime.now(UTC))


def _watch(app: App, which: "Filter", folder: Path, options: "Options", state: tuple[object, ...]) -> None:
    """Renew the page whenever the ledger knows more, until Ctrl-C; then leave one that looks no further.

    Events tell of all that jobs and sessions do; measurements and ratings are told by none.
    """
    from cosmosq.report import page

    output.say(f"renewing {folder} as results come: Ctrl-C ends")
    took = 0.0
    try:
        while True:
            # A large page must not keep a processor busy that the engine may need.
            time.sleep(max(LOOK_S, 5 * took))
            if (newest := _state(app)) != state:
                state, began = newest, time.monotonic()
                page.write(folder, app.workspace, read_contents(app, which), options)
                took = time.monotonic() - began
    except KeyboardInterrupt:
        page.write(folder, app.workspace, read_contents(app, which), replace(options, watch_s=None))


def _state(app: App) -> tuple[object, ...]:
    """Changes whenever there may be something new to show."""
    from cosmosq.report import query, scores

    with app.ledger.read() as session:
        return query.newest_event(session), *scores.judgements(session)


def _write_mosaic(app: App, contents: "Contents", path: Path, layout: str) -> None:
    from cosmosq.report import mosaic

    count = mosaic.write(path, app.workspace.root, contents, layout=layout)
    output.say(f"wrote {path}: {count} video{'s' if count != 1 else ''} side by side")


def open_page(index: Path) -> None:
    """Show the page in the person's browser, or say that there is none."""
    if not webbrowser.open(index.resolve().as_uri()):
        output.say(f"no browser was found here: open {index.resolve()} yourself")


def has_desktop() -> bool:
    """Whether a browser has a screen to open on; without one, Python would start w3m in the terminal."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
