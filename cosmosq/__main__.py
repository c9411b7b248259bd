"""`python -m cosmosq` and the command `cosmosq`."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Importing makes many objects that stay: looking through them again and again is a fifth of a short command.
    gc.set_threshold(200_000, 20, 20)
    from cosmosq.cli import main as run

    code = run()
    # Nor is anything gained by looking through them once more at the end.
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    main()
