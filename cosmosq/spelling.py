"""What somebody may have meant who misspelt a name."""

from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """` (did you mean …?)` for a misspelt name, or nothing."""
    # Only errors need it.
    from difflib import get_close_matches

    found = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (did you mean {found[0]}?)" if found else ""
