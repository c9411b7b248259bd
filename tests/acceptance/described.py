"""What the comments of an example say that it prints, beside what it did print."""

import re
from pathlib import Path


def quoted(path: Path) -> list[str]:
    """Lines of output in an example's comments: what is indented below a line such as `It prints:`."""
    found: list[str] = []
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.removeprefix("#")
        if inside and words.startswith("    "):
            found.append(words.strip())
        elif words.strip():
            inside = words.endswith(":") and "print" in words
    return found


def assert_described(path: Path, output: str) -> None:
    """Every line that the comments quote was printed, in that order; `…` stands for anything, spaces for any number."""
    lines = quoted(path)
    assert lines, f"{path.name} quotes nothing that it prints"
    told = iter(output.splitlines())
    for line in lines:
        words = (".*".join(map(re.escape, word.split("…"))) for word in line.split())
        pattern = re.compile(r"\s*" + r"\s+".join(words) + r"\s*")
        assert any(pattern.fullmatch(each) for each in told), (
            f"{path.name} says {line!r}, which was not printed:\n{output}"
        )
