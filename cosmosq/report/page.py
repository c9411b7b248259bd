"""The report as a page: one folder of plain files for any browser, without a network."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from sqlalchemy.orm import Session

import cosmosq
from cosmosq.files import whole_text, write_whole
from cosmosq.paths import Workspace
from cosmosq.report import cells, media, rows
from cosmosq.report.durations import duration
from cosmosq.report.night import night
from cosmosq.report.query import Filter
from cosmosq.report.totals import Totals, totals

SCRIPTS = (
    *("base", "statistics", "jobs", "state", "axes", "filter", "ratings", "cell", "sheet", "player", "wipe"),
    *("detail", "stage", "pairs", "marginals", "heatmap", "parallel", "timeline", "plots", "failures", "head"),
    *("live", "keys", "app"),
)
"""In this order: each knows only those before it."""
PLOTLY = "plotly.min.js"


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a page shows, as read at one moment."""

    title: str
    workspace: str
    made_at: datetime
    totals: Totals
    night: Mapping[str, Any]
    prompts: list[dict[str, Any]]
    cells: list[cells.Cell]
    comparisons: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a page is made."""

    layout: str = "parameter"
    single_file: bool = False
    """Everything in one file to be mailed: pictures, but no videos."""
    watch_s: float | None = None
    """How often the page looks for newer data; None for a page that stays as it is."""


def read(session: Session, workspace: Workspace, which: Filter, *, title: str, now: datetime) -> Contents:
    """All that the page of these jobs shows."""
    prompts = cells.Prompts()
    numbers = cells.Numbers(session, which)
    return Contents(
        title=title,
        workspace=workspace.root.name,
        made_at=now,
        totals=totals(session, which, now),
        night=night(session, which),
        cells=list(cells.cells(rows.stream(session, which), numbers, prompts, workspace.root)),
        prompts=prompts.told,
        comparisons=cells.comparisons(session, which),
    )


def write(folder: Path, workspace: Workspace, contents: Contents, options: Options = Options()) -> Path:
    """Write the page and bring the videos to it; returns the page's path.

    Args:
        folder: where it goes; what an earlier report left there is replaced.

    Raises:
        StorageFailed: the folder cannot be written.
    """
    return (
        _write_single(folder, workspace, contents, options)
        if options.single_file
        else _write_folder(folder, workspace, contents, options)
    )


def _write_folder(folder: Path, workspace: Workspace, contents: Contents, options: Options) -> Path:
    shown, inputs = _bring_files(folder, workspace, contents)
    data = _data(replace(contents, cells=shown), inputs, options)
    write_whole(folder / "style.css", _shipped("style.css").encode())
    write_whole(folder / "app.js", _app().encode())
    if (plotly := _plotly()) is not None:
        _copy(plotly, folder / PLOTLY)
    write_whole(folder / "data.js", _receive(data).encode())
    write_whole(folder / "pulse.js", f'cosmosq.pulse("{pulse(data)}");\n'.encode())
    page = folder / "index.html"
    with whole_text(page) as stream:
        stream.write(_html(contents, plotly=PLOTLY if plotly else None))
    return page


def _write_single(folder: Path, workspace: Workspace, contents: Contents, options: Options) -> Path:
    sources = {cell["id"]: workspace.root / cell["output"] for cell in contents.cells if cell["output"]}
    posters = media.posters(sources.values(), workspace.posters_path)
    shown = [
        {**cell, "video": None, "poster": _inlined(posters.get(sources[cell["id"]])), "missing": False}
        if cell["id"] in sources
        else {**cell, "video": None, "poster": None, "missing": False}
        for cell in contents.cells
    ]
    data = _data(replace(contents, cells=[{**cell, "inputs": []} for cell in shown]), {}, options)
    plotly = _plotly()
    scripts = [_app(), _receive(data), *([plotly.read_text("utf-8")] if plotly else [])]
    page = folder / "report.html"
    with whole_text(page) as stream:
        stream.write(_html(contents, plotly=None, inline=[_safe(script) for script in scripts]))
    return page


def _bring_files(
    folder: Path, workspace: Workspace, contents: Contents
) -> tuple[list[cells.Cell], dict[str, dict[str, Any]]]:
    """Videos, inputs and posters brought to the folder; the cells and inputs as the page finds them there."""
    root = workspace.root
    outputs = {cell["id"]: root / cell["output"] for cell in contents.cells if cell["output"]}
    pinned = {each["sha256"]: each for cell in contents.cells for each in cell["inputs"]}
    inputs = {sha256: root / each["path"] for sha256, each in pinned.items()}
    posters = media.posters([*outputs.values(), *inputs.values()], workspace.posters_path)

    def brought(source: Path | None, name: str) -> str | None:
        return name if source is not None and media.bring(source, folder / name) else None

    def shown(cell: cells.Cell) -> cells.Cell:
        source = outputs.get(cell["id"])
        video = brought(source, f"videos/{cell['id']}.mp4")
        poster = brought(posters.get(source) if source else None, f"posters/{cell['id']}.jpg")
        told = [{"role": each["role"], "file": each["sha256"]} for each in cell["inputs"]]
        return {
            **cell,
            "video": video,
            "poster": poster,
            "missing": source is not None and video is None,
            "inputs": told,
        }

    named = {
        sha256: {
            "video": brought(source, f"inputs/{sha256[:16]}{_suffix(source)}"),
            "poster": brought(posters.get(source), f"posters/input-{sha256[:16]}.jpg"),
            **{name: pinned[sha256][name] for name in ("width", "height", "fps", "frames")},
        }
        for sha256, source in inputs.items()
    }
    return [shown(cell) for cell in contents.cells], named


def _suffix(path: Path) -> str:
    """The suffix of a video that a person named, if it is a plain one."""
    return path.suffix if path.suffix[1:].isascii() and path.suffix[1:].isalnum() else ".mp4"


def _data(contents: Contents, inputs: Mapping[str, Any], options: Options) -> str:
    """All the page's data as JSON that is safe within a script."""
    told = contents.cells
    head = {**contents.totals.as_json(), **contents.night, "version": cosmosq.__version__}
    data = {
        "format": 1,
        "title": contents.title,
        "workspace": contents.workspace,
        "made_at": contents.made_at,
        "layout": options.layout,
        "watch_s": options.watch_s,
        "single_file": options.single_file,
        "statuses": list(contents.totals.by_status),
        "head": {name: value for name, value in head.items() if name not in ("spans", "faults", "prompts")},
        "night": {"spans": contents.night["spans"], "faults": contents.night["faults"]},
        "parameters": cells.parameters(told),
        "prompts": contents.prompts,
        "jobs": told,
        "inputs": inputs,
        "comparisons": contents.comparisons,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_json)
    # What comes from outside could otherwise end the script element, or open a comment in it.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _receive(data: str) -> str:
    return f'cosmosq.receive({data},"{pulse(data)}");\n'


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


def pulse(data: str) -> str:
    """Names the state of the data, so that a page can tell whether its own is older."""
    return hashlib.sha256(data.encode()).hexdigest()[:16]


def _html(contents: Contents, *, plotly: str | None, inline: Iterable[str] = ()) -> str:
    # Everything that is shown comes from outside: names, titles.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(duration=lambda seconds: duration(seconds) or "–")
    template = environment.from_string(_shipped("index.html"))
    scripts = list(inline)
    return template.render(
        asdict(contents, dict_factory=dict) | {"totals": contents.totals},
        plotly=plotly,
        style=_shipped("style.css") if scripts else None,
        scripts=scripts,
        sources=" ".join(csp_source(script) for script in scripts) or "'self' file:",
    )


def csp_source(text: str) -> str:
    """What a Content-Security-Policy calls an inline script of exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _safe(script: str) -> str:
    """A script as it may stand within a page: no string in it ends the element."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _shipped(name: str) -> str:
    return files("cosmosq.report").joinpath("page_files", name).read_text(encoding="utf-8")


def _app() -> str:
    return "".join(_shipped(f"{name}.js") for name in SCRIPTS)


def _plotly() -> Path | None:
    """The plotting library's script, as its package ships it; importing the package would take longer."""
    found = find_spec("plotly")
    places = found.submodule_search_locations if found else None
    path = Path(places[0]) / "package_data" / PLOTLY if places else None
    return path if path is not None and path.is_file() else None


def _copy(source: Path, target: Path) -> None:
    """A copy and no link: a person's folder must not hold on to a file of the installation."""
    if not (target.is_file() and target.stat().st_size == source.stat().st_size):
        write_whole(target, source.read_bytes())


def _inlined(poster: Path | None) -> str | None:
    return None if poster is None else f"data:image/jpeg;base64,{base64.b64encode(poster.read_bytes()).decode()}"
