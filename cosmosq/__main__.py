"""`python -m cosmosq` and the command `cosmosq`."""

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from cosmosq.cli import main as run

    sys.exit(run())


if __name__ == "__main__":
    main()
