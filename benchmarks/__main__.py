"""`make bench`: print every ratio; exit code 1 if one is above its limit."""

import sys

from benchmarks import box, start_up, sweeps
from benchmarks.ratio import report

if __name__ == "__main__":
    sys.exit(1 if report([*start_up.measure(), *sweeps.measure(), *box.measure()]) else 0)
