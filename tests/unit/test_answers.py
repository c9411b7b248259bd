"""What a session says about a longer prompt is believed only as far as it makes sense."""

from pathlib import Path
from typing import Any

import pytest

from cosmosq.session.answers import LONGEST, read
from cosmosq.session.events import Ending
from cosmosq.session.results import BadOutput

TOLD = {"model": "m", "frames": [0, 60], "width": 848, "height": 480, "tokens": 3500}


def ending(**changed: Any) -> Ending:
    told = {name: value for name, value in {**TOLD, **changed}.items() if value is not None}
    return Ending(event="done", data={"generate_s": 1.5, "upsampling": told})


def answered(folder: Path, data: bytes = b" fog over still water\n") -> list[dict[str, Any]]:
    path = folder / "prompt.txt"
    path.write_bytes(data)
    return [{"kind": "log", "path": "elsewhere"}, {"kind": "prompt", "path": str(path)}]


def test_an_answer_is_read_with_what_is_told_of_it(tmp_path: Path) -> None:
    answer = read(answered(tmp_path), ending())
    assert (answer.text, answer.model, answer.frames) == ("fog over still water", "m", (0, 60))
    assert (answer.width, answer.height, answer.tokens, answer.upsample_s) == (848, 480, 3500, 1.5)


@pytest.mark.parametrize(
    "changed",
    [
        {"frames": None},
        {"frames": []},
        {"frames": [0, 1, 2]},
        {"frames": ["0"]},
        {"frames": [True]},
        {"width": -1},
        {"height": 10**9},
        {"tokens": 1.5},
        {"width": {"a": "b"}},
    ],
)
def test_nonsense_about_how_it_was_made_is_no_answer(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(BadOutput, match="see the log"):
        read(answered(tmp_path), ending(**changed))


@pytest.mark.parametrize("data", [b"", b" \n", b"a\x00b", b"\xff\xfe", b"x" * (LONGEST + 1)])
def test_what_can_be_no_prompt_is_no_answer(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadOutput, match="no prompt"):
        read(answered(tmp_path, data), ending())


@pytest.mark.parametrize("told", [None, [], "x", 7])
def test_a_success_without_a_word_or_without_a_text_is_none(tmp_path: Path, told: object) -> None:
    with pytest.raises(BadOutput, match="does not say how"):
        read(answered(tmp_path), Ending(event="done", data={"upsampling": told}))
    with pytest.raises(BadOutput, match="but no prompt"):
        read([], ending())
