"""`make bench`: print every ratio; exit code 1 if one is above its limit."""

import sys

from benchmarks import box, command_night, page, report, sessions, start_up, sweeps, upsampling
from benchmarks.ratio import report as tell

MEASURES = (
    start_up.measure,
    sweeps.measure,
    box.measure,
    sessions.measure,
    command_night.measure,
    upsampling.measure,
    report.measure,
    page.measure,
)

if __name__ == "__main__":
    sys.exit(1 if tell([ratio for measure in MEASURES for ratio in measure()]) else 0)
