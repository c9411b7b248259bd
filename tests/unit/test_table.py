"""Tables on paper and on terminals of any width."""

import click
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.cli.table import table

HEADERS = ["id", "status", "prompt", "priority", "since"]
ROWS = [
    ["7", "queued", "a quiet kitchen at night, with fog in front of its windows", "0", "2026-11-22 22:00:00"],
    ["10", "failed", "harbour", "-20", "2026-11-22 23:10:00"],
]
TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Mn", "Me")), max_size=60)


def test_columns_stand_under_one_another_and_nothing_is_cut_where_there_is_no_terminal() -> None:
    assert table(HEADERS, ROWS) == (
        "id  status  prompt                                                      priority  since\n"
        "--  ------  ----------------------------------------------------------  --------  -------------------\n"
        "7   queued  a quiet kitchen at night, with fog in front of its windows  0         2026-11-22 22:00:00\n"
        "10  failed  harbour                                                     -20       2026-11-22 23:10:00\n"
    )


def test_long_cells_are_cut_before_a_column_is_left_out() -> None:
    assert table(HEADERS, ROWS, width=61, spare=["priority"]).splitlines() == [
        "id  status  prompt              priority  since",
        "--  ------  ------------------  --------  -------------------",
        "7   queued  a quiet kitchen a…  0         2026-11-22 22:00:00",
        "10  failed  harbour             -20       2026-11-22 23:10:00",
    ]


def test_what_can_be_spared_is_left_out_first_and_then_from_the_right() -> None:
    assert table(HEADERS, ROWS, width=53, spare=["priority"]).splitlines()[:3] == [
        "id  status  prompt             since                …",
        "--  ------  -----------------  -------------------  -",
        "7   queued  a quiet kitchen …  2026-11-22 22:00:00",
    ]
    assert table(HEADERS, ROWS, width=30, spare=["priority"]).splitlines()[:3] == [
        "id  status  prompt           …",
        "--  ------  ---------------  -",
        "7   queued  a quiet kitche…",
    ]


def test_colours_take_no_room() -> None:
    green = click.style("succeeded", fg="green")
    assert table(["status", "id"], [[green, "1"], ["held", "2"]], width=20).splitlines()[2:] == [
        f"{green}  1",
        "held       2",
    ]


def test_characters_of_two_columns_take_two() -> None:
    assert table(["名", "x"], [["厨房", "1"], ["a", "2"]]).splitlines() == ["名    x", "----  -", "厨房  1", "a     2"]


def test_a_cell_of_several_lines_makes_a_row_of_several() -> None:
    assert table(["a", "b"], [["1\n2", "x"]]).splitlines()[2:] == ["1  x", "2"]


def test_no_rows_leave_the_headers() -> None:
    assert table(["a", "b"], []) == "a  b\n-  -\n"


@given(
    rows=st.lists(st.lists(TEXT, min_size=4, max_size=4), max_size=4),
    width=st.integers(1, 200),
    spare=st.sets(st.sampled_from(["two", "four"])),
)
def test_no_line_is_wider_than_the_terminal(rows: list[list[str]], width: int, spare: set[str]) -> None:
    lines = table(["one", "two", "three", "four"], rows, width=width, spare=spare).splitlines()
    assert len(lines) == len(rows) + 2
    widest = max(map(len, lines))
    assert widest <= max(width, 15)
