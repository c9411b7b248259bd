"""`make bench`: every ratio, printed as it comes and written into docs/benchmarks.md; exit code 1 if one is too high.

    python -m benchmarks [NAME…]

With names, such as `page report`, those alone are measured, and nothing is written.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks import box, command_night, page, report, sessions, start_up, sweeps, table, upsampling
from benchmarks.ratio import Row
from benchmarks.ratio import report as tell

Measures = Mapping[str, Callable[[], Sequence[Row]]]

MEASURES: Measures = {
    "start_up": start_up.measure,
    "sweeps": sweeps.measure,
    "box": box.measure,
    "sessions": sessions.measure,
    "command_night": command_night.measure,
    "upsampling": upsampling.measure,
    "report": report.measure,
    "page": page.measure,
}


def main(names: Sequence[str], measures: Measures = MEASURES) -> int:
    """Measure what is named, or all; the exit code."""
    if unknown := [name for name in names if name not in measures]:
        print(f"{unknown[0]} is no benchmark: there are {', '.join(measures)}", file=sys.stderr)
        return 2
    began = time.monotonic()
    machine = table.machine()
    rows: list[Row] = []
    too_high = 0
    for name in names or measures:
        found = measures[name]()
        too_high += tell(found)
        rows += found
    if not names:
        table.PAGE.write_text(table.page(rows, machine, time.monotonic() - began), encoding="utf-8")
        print(f"wrote {table.PAGE}")
    return int(too_high > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
