"""By what the contact sheet and the mosaic are laid out."""

from itertools import chain, product
from typing import Any

import pytest

from cosmosq.report import axes, mosaic
from cosmosq.report.axes import Axes


def cell(number: int, kind: str = "transfer", prompt: int = 0, ended_at: str | None = None, **values: Any) -> Any:
    named = {name.replace("_weight", ".weight"): value for name, value in values.items()}
    return {"id": number, "kind": kind, "prompt": prompt, "values": named, "ended_at": ended_at}


def grid(**swept: tuple[Any, ...]) -> list[Any]:
    return [cell(n, **dict(zip(swept, values, strict=True))) for n, values in enumerate(product(*swept.values()), 1)]


def rows(told: list[Any], layout: str = "parameter") -> list[Any]:
    """The mosaic's rows in short: headings, titles and ids."""
    contents: Any = type("Contents", (), {"cells": told, "prompts": [{"id": "ps_1", "name": "kitchen"}]})
    shown = axes.videos(told)
    return [
        row.heading
        or (row.columns and (row.axis, *row.columns))
        or (row.title, *(each and each["id"] for each in row.cells))
        for row in mosaic.arrange(shown, contents, layout)
    ]


SWEPT = grid(edge_weight=(0.2, 0.6, 1.0), guidance=(3.0, 7.0), seed=(1, 2, 3, 4))


@pytest.mark.parametrize(
    ("told", "layout", "expected"),
    [
        (SWEPT, "parameter", Axes(x="edge.weight", y="guidance")),
        ([*SWEPT, cell(99, prompt=1)], "parameter", Axes(x="edge.weight", y="guidance", facet="prompt")),
        ([*SWEPT, cell(99, prompt=1)], "prompt", Axes(facet="prompt")),
        (grid(seed=(1, 2, 3), edge_weight=(0.2, 0.6)), "parameter", Axes(x="edge.weight", y="seed")),
        (grid(seed=(1, 2, 3)), "parameter", Axes(x="seed")),
        ([*grid(seed=(1, 2)), cell(9, prompt=1)], "parameter", Axes(x="seed", y="prompt")),
        ([cell(1), cell(2, prompt=1)], "parameter", Axes(facet="prompt")),
        ([cell(1)], "parameter", Axes()),
        (SWEPT, "time", Axes()),
        ([cell(n, ended_at=f"2026-11-{20 + n}T12:00:00+00:00") for n in (1, 2)], "time", Axes(facet="day")),
        # An upscale's own steps and missing weights are not what varied, and an upsampling has nothing at all.
        ([*grid(guidance=(3.0, 7.0)), cell(9, "upscale", num_steps=10)], "parameter", Axes(x="guidance")),
        ([*grid(num_steps=(20, 30)), cell(9, "upsample", prompt=1)], "parameter", Axes(x="num_steps")),
        ([*grid(num_steps=(20, 30)), cell(9, "upscale", num_steps=10)], "parameter", Axes(x="num_steps")),
        ([cell(n, "upscale", upscale_weight=n / 10) for n in (1, 2)], "parameter", Axes(x="upscale.weight")),
    ],
)  # fmt: skip
def test_the_first_axes_are_what_was_swept(told: list[Any], layout: str, expected: Axes) -> None:
    assert axes.first(told, layout) == expected


def test_the_mosaic_has_the_same_axes_as_headings() -> None:
    told = grid(edge_weight=(0.2, 0.6, 1.0), guidance=(3.0, 7.0), seed=(1, 2))
    assert rows(told) == [
        ("edge.weight", "0.2", "0.6", "1"),
        ("3", 1, 5, 9),
        ("", 2, 6, 10),
        ("7", 3, 7, 11),
        ("", 4, 8, 12),
    ]
    told += [cell(13, prompt=0), cell(14, "upscale", upscale_weight=0.5), cell(15, "upsample")]
    assert rows(told)[-2:] == [("", "upscales"), ("5", 14)]
    long = "The video captures a game playing, with bad graphics, "
    told = grid(negative_prompt=(f"{long}fog", f"{long}rain"))
    assert rows(told)[0] == ("negative_prompt", "...fog", "...rain")


def test_a_mosaic_keeps_apart_what_looks_alike_and_puts_many_numbers_into_ranges() -> None:
    alike = grid(sigma_max=(20.0001, 20.0002, 60.0))
    assert rows(alike) == [("sigma_max", "20.0001", "20.0002", "60"), ("", 1, 2, 3)]
    many = [cell(n, edge_weight=n / 100) for n in range(1, 14)]
    (columns, first, *_) = rows(many)
    assert columns[:2] == ("edge.weight", "0.01 to 0.03")
    assert len(columns) - 1 == len(first) - 1 == axes.RANGES
    words = grid(negative_prompt=tuple(f"no {n}" for n in range(13)))
    assert rows(words)[0] == ("", 1, 2, 3, 4), "as many columns cannot be told apart"


def test_presets_keep_their_order() -> None:
    told = grid(canny_threshold=("very_high", "low", "medium"))
    assert rows(told)[0] == ("canny_threshold", "low", "medium", "very_high")


def test_an_upscale_stands_with_its_source_where_it_has_taken_something_over() -> None:
    told = [*grid(num_steps=(20, 30), guidance=(3.0, 5.0, 7.0)), cell(9, "upscale", num_steps=10, guidance=7.0)]
    columns = ("guidance", "3", "5", "7")
    assert rows(told) == [columns, ("20", 1, 2, 3), ("30", 4, 5, 6), ("", None, None, 9)]
    assert axes.value(told[-1], "num_steps") == 10, "which it has nevertheless"


def test_what_is_written_below_a_small_cell_is_not_cut() -> None:
    swept = {"edge_weight": tuple(n / 10 for n in range(1, 9)), "guidance": (3.5, 7.5), "sigma_max": (20.25, 60.75)}
    told = [
        {**each, "height": 9, "width": 16, "simulated": True, "upsampled": True}
        for each in grid(**swept, seed=(1001, 1002))
    ]
    contents: Any = type("Contents", (), {"cells": told, "prompts": []})
    sheet = mosaic._Sheet(mosaic.arrange(told, contents, "parameter"), told, contents, axes.first(told, "parameter"))
    words = [[text for text, _ in line] for line in sheet._told(told[0])]
    assert list(chain(*words)) == ["1", "SIMULATED", "made longer", "sigma_max 20.25", "seed 1001"]
    assert all(sum(map(mosaic._width, line)) < sheet.cell_width for line in words)
    assert sheet.told_height >= 16 * len(words)
