"""The report as a page: one folder of plain files for any browser, without a network."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

import cosmosq
from cosmosq.files import whole_text, write_whole
from cosmosq.paths import Workspace
from cosmosq.posters import posters_of
from cosmosq.report import axes, cells, media, page_html, rows
from cosmosq.report.failures import Failure, failures
from cosmosq.report.measures import MEASURED, QUANTITIES, Measure
from cosmosq.report.night import night
from cosmosq.report.query import Filter
from cosmosq.report.spending import told as told_costs
from cosmosq.report.totals import Totals, totals
from cosmosq.status import UNSUCCESSFUL


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a page shows, as read at one moment."""

    title: str
    workspace: str
    made_at: datetime
    totals: Totals
    failures: list[Failure]
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
        failures=failures(session, which, UNSUCCESSFUL),
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
    if options.single_file:
        return _write_single(folder, workspace, contents, options)
    shown, inputs = _bring_files(folder, workspace, contents)
    data = _data(replace(contents, cells=shown), inputs, options)
    write_whole(folder / "style.css", page_html.shipped("style.css").encode())
    write_whole(folder / "app.js", page_html.app().encode())
    if (plotly := page_html.plotly_script()) is not None:
        _copy(plotly, folder / page_html.PLOTLY)
    write_whole(folder / "data.js", _receive(data).encode())
    write_whole(folder / "pulse.js", f'cosmosq.pulse("{_pulse(data)}");\n'.encode())
    # So late, so that whoever finds it finds all that it names.
    page = _write_html(folder / "index.html", contents, plotly=page_html.PLOTLY if plotly else None)
    media.leave(folder, {each[kind] for each in (*shown, *inputs.values()) for kind in ("video", "poster")})
    return page


def _write_single(folder: Path, workspace: Workspace, contents: Contents, options: Options) -> Path:
    """Everything in one file: pictures in place of the videos, and no inputs."""
    sources = {cell["id"]: workspace.root / cell["output"] for cell in contents.cells if cell["output"]}
    posters = posters_of(sources.values(), workspace.posters_path)
    pictures = {number: _inlined(posters.get(source)) for number, source in sources.items()}
    lacking: dict[str, Any] = {"video": None, "missing": False, "inputs": []}
    shown = [{**cell, **lacking, "poster": pictures.get(cell["id"])} for cell in contents.cells]
    scripts = [page_html.app(), _receive(_data(replace(contents, cells=shown), {}, options))]
    if (plotly := page_html.plotly_script()) is not None:
        scripts.append(plotly.read_text(encoding="utf-8"))
    return _write_html(folder / "report.html", contents, plotly=None, inline=scripts)


def _write_html(page: Path, contents: Contents, *, plotly: str | None, inline: Sequence[str] = ()) -> Path:
    text = page_html.html(
        title=contents.title, made_at=contents.made_at, totals=contents.totals, plotly=plotly, inline=inline
    )
    with whole_text(page) as stream:
        stream.write(text)
    return page


def _bring_files(
    folder: Path, workspace: Workspace, contents: Contents
) -> tuple[list[cells.Cell], dict[str, dict[str, Any]]]:
    """Videos, inputs and posters brought to the folder; the cells and inputs as the page finds them there."""
    root = workspace.root
    outputs = {cell["id"]: root / cell["output"] for cell in contents.cells if cell["output"]}
    pinned = {each["sha256"]: each for cell in contents.cells for each in cell["inputs"]}
    inputs = {sha256: root / each["path"] for sha256, each in pinned.items()}
    posters = posters_of([*outputs.values(), *inputs.values()], workspace.posters_path)

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
    spent = {"cost": told_costs(contents.totals.costs), "currencies": list(contents.totals.costs)}
    head = {**contents.totals.as_json(), **spent, **contents.night, "version": cosmosq.__version__}
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
        "failures": [_failure(each) for each in contents.failures],
        "parameters": axes.parameters(told),
        "varied": [asdict(each) for each in axes.varied(told)],
        "axes": asdict(axes.first(told, options.layout)),
        "quantities": [{"name": each.column, "title": each.words} for each in _measures(told)],
        "prompts": contents.prompts,
        "jobs": told,
        "inputs": inputs,
        "comparisons": contents.comparisons,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=_json)
    # What comes from outside could otherwise end the script element, or open a comment in it.
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _measures(told: Sequence[cells.Cell]) -> list[Measure]:
    """What the page can plot, sort and find by: the same as tables tell, by the same names."""
    measured = sorted({name for cell in told for name in cell["measures"]})
    return [Measure(column=column) for column in (*QUANTITIES, *(MEASURED + name for name in measured))]


def _failure(failure: Failure) -> dict[str, Any]:
    ids = [job_id for first, last in failure.ids for job_id in range(first, last + 1)]
    return {"error": failure.error, "message": failure.message, "retry": failure.retry, "ids": ids}


def _receive(data: str) -> str:
    return f'cosmosq.receive({data},"{_pulse(data)}");\n'


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _pulse(data: str) -> str:
    """Names the state of the data, so that a page can tell whether its own is older."""
    return hashlib.sha256(data.encode()).hexdigest()[:16]


def _copy(source: Path, target: Path) -> None:
    """A copy and no link: a person's folder must not hold on to a file of the installation."""
    if not (target.is_file() and target.stat().st_size == source.stat().st_size):
        write_whole(target, source.read_bytes())


def _inlined(poster: Path | None) -> str | None:
    return None if poster is None else f"data:image/jpeg;base64,{base64.b64encode(poster.read_bytes()).decode()}"
