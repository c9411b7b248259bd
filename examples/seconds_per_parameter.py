"""What did a parameter cost? Mean GPU seconds of the videos, by the values of one column of the report.

    cosmosq report --csv - | python examples/seconds_per_parameter.py num_steps

The columns are listed in REFERENCE.md. It prints a line a value, after two videos of two steps:

    num_steps=2: 2 videos, … s each
"""

import csv
import sys
from collections import defaultdict
from statistics import mean


def main(column: str) -> None:
    """Read the CSV from stdin and print the means."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for row in csv.DictReader(sys.stdin):
        if row["status"] == "succeeded":
            seconds[row[column]].append(float(row["generate_s"]))
    for value, spent in sorted(seconds.items()):
        print(f"{column}={value}: {len(spent)} videos, {mean(spent):.1f} s each")


if __name__ == "__main__":
    main(sys.argv[1])
