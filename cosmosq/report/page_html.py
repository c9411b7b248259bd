"""The frame of the report's page: its HTML, its scripts, and the policy that keeps every other script out."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from cosmosq.report.totals import Totals

SCRIPTS = (
    *("base", "messages", "statistics", "jobs", "state", "axes", "conditions", "filter", "store", "ratings"),
    *("cell", "sheet", "player", "wipe", "tiles"),
    *("detail", "stage", "pairs", "marginals", "heatmap", "parallel", "timeline", "plots", "failures", "head"),
    *("live", "keys", "app"),
)
"""In this order: while they are loaded, each knows only those before it."""
PLOTLY = "plotly.min.js"


def html(*, title: str, made_at: datetime, totals: Totals, plotly: str | None, inline: Sequence[str] = ()) -> str:
    """The page itself.

    Args:
        plotly: where the plotting library lies, if it lies beside the page.
        inline: scripts that stand in the page in place of those beside it; the style then does too.
    """
    # Everything that is shown comes from outside: names, titles.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    scripts = [_safe(script) for script in inline]
    return environment.from_string(shipped("index.html")).render(
        title=title,
        made_at=made_at,
        totals=totals,
        plotly=plotly,
        style=shipped("style.css") if scripts else None,
        scripts=scripts,
        sources=" ".join(csp_source(script) for script in scripts) or "'self' file:",
    )


def app() -> str:
    """All scripts of the page as one."""
    return "".join(shipped(f"{name}.js") for name in SCRIPTS)


def shipped(name: str) -> str:
    """A file of the page as cosmosq ships it."""
    return files("cosmosq.report").joinpath("page_files", name).read_text(encoding="utf-8")


def plotly_script() -> Path | None:
    """The plotting library's script, as its package ships it; importing the package would take longer."""
    found = find_spec("plotly")
    places = found.submodule_search_locations if found else None
    path = Path(places[0]) / "package_data" / PLOTLY if places else None
    return path if path is not None and path.is_file() else None


def csp_source(text: str) -> str:
    """What a Content-Security-Policy calls an inline script of exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _safe(script: str) -> str:
    """A script as it may stand within a page: no string in it ends the element."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")
