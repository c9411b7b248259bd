"""`cosmosq.toml` gains and loses a host, and every other line stays as it was typed."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.config import load_config
from cosmosq.errors import InvalidConfig, InvalidInput, NotFound
from cosmosq.hostfile import adding, removing
from cosmosq.template import TEMPLATE

BOX: dict[str, str | int] = {"transport": "ssh", "address": "box.example", "port": 2222}
BOX_LINES = '[hosts.box]\ntransport = "ssh"\naddress = "box.example"\nport = 2222\n'

TYPED = '''\
# My night.
default_host = "sim"   # cheap

# The big box.
# Rented until May.
[hosts.box]
transport = "ssh"
address = "box.example"
# port = 2222

# Told to the stand-in.
[hosts.box.simulator]
load_s = 1.0
[[hosts.box.simulator.faults]]
match = """
[hosts.sim]
"""

# This machine.
[hosts.sim]
root = "[hosts.box]"
offload = [
    "text_encoder_model",
]
# The end.
'''

TYPED_WITHOUT_BOX = """\
# My night.
default_host = "sim"   # cheap

# This machine.
[hosts.sim]
root = "[hosts.box]"
offload = [
    "text_encoder_model",
]
# The end.
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "cosmosq.toml"
    path.write_bytes(text.encode())
    return path


def test_a_host_is_added_at_the_end_and_nothing_else_changes(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE)
    adding(path, "box", BOX).write()
    assert path.read_text() == f"{TEMPLATE}\n{BOX_LINES}"
    assert load_config(path).host("box").address == "box.example"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_added_and_removed_again_leaves_no_trace(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE)
    adding(path, "box", BOX).write()
    removing(path, "box").write()
    assert path.read_text() == TEMPLATE


def test_a_host_goes_with_its_own_comments_and_tables_and_leaves_those_of_others(tmp_path: Path) -> None:
    path = write(tmp_path, TYPED)
    removing(path, "box").write()
    assert path.read_text() == TYPED_WITHOUT_BOX


def test_nothing_is_written_before_it_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, TYPED)
    edit = removing(path, "box")
    assert list(edit.config.hosts) == ["sim"]
    assert path.read_text() == TYPED


def test_the_comment_right_above_the_next_table_stays_with_it(tmp_path: Path) -> None:
    path = write(tmp_path, '[hosts.box]\nroot = "/a"\n# Mine.\n[hosts.sim]\n')
    removing(path, "box").write()
    assert path.read_text() == "# Mine.\n[hosts.sim]\n"


def test_a_comment_at_the_top_of_the_file_is_not_about_the_table_below(tmp_path: Path) -> None:
    path = write(tmp_path, "# My night.\n[hosts.box]\n\n[hosts.sim]\n")
    removing(path, "box").write()
    assert path.read_text() == "# My night.\n[hosts.sim]\n"


def test_windows_line_ends_stay(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE.replace("\n", "\r\n"))
    adding(path, "box", BOX).write()
    assert path.read_bytes().replace(b"\r\n", b"\n").decode() == f"{TEMPLATE}\n{BOX_LINES}"
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")
    assert list(load_config(path).hosts) == ["sim", "box"]


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    target = write(tmp_path, TEMPLATE)
    link = tmp_path / "link.toml"
    link.symlink_to(target)
    adding(link, "box", BOX).write()
    assert link.is_symlink()
    assert "box" in load_config(target).hosts


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE)
    edit = adding(path, "box", BOX)
    changed = path.read_text() + "\n# a thought\n"
    path.write_text(changed)
    with pytest.raises(InvalidInput, match="was changed meanwhile: repeat"):
        edit.write()
    assert path.read_text() == changed


@pytest.mark.parametrize(
    "text",
    [
        'hosts = {sim = {}, box = {root = "/x"}}\n',
        "hosts.sim.root = '/a'\nhosts.box.root = '/b'\n",
        "[hosts]\nsim = {}\nbox = {}\n",
    ],
)
def test_hosts_that_are_written_in_another_way_are_left_to_the_person(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidInput, match="edit box by hand"):
        removing(path, "box")


def test_a_host_cannot_be_added_to_an_inline_table(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="edit box by hand"):
        adding(write(tmp_path, "hosts = {sim = {}}\n"), "box", BOX)


@pytest.mark.parametrize("name", ["", ".", "../x", "a b", "-x", "a/b", "x" * 61, "a\nb", 'a"b', "a]b"])
def test_a_name_that_is_no_host_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidConfig, match="is no host name"):
        adding(write(tmp_path, TEMPLATE), name, BOX)


def test_a_value_that_is_not_allowed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE)
    with pytest.raises(InvalidConfig, match="engine = 'sora' is not allowed"):
        adding(path, "box", {**BOX, "engine": "sora"})
    with pytest.raises(InvalidInput, match="no UTF-8"):
        adding(path, "box", {**BOX, "root": "/\udcff"})


def test_an_existing_name_a_missing_host_and_the_default_one_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE)
    with pytest.raises(InvalidInput, match="sim is a host already"):
        adding(path, "sim", BOX)
    with pytest.raises(NotFound, match="box is no host"):
        removing(path, "box")
    with pytest.raises(InvalidInput, match="sim is the default host"):
        removing(path, "sim")
    with pytest.raises(NotFound, match="cosmosq init"):
        adding(tmp_path / "none.toml", "box", BOX)


@given(
    name=st.from_regex(r"[A-Za-z0-9][\w.-]{0,20}", fullmatch=True).filter(lambda name: name != "sim"),
    root=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20),
)
def test_any_name_and_text_arrives_and_goes(tmp_path: Path, name: str, root: str) -> None:
    path = write(tmp_path, TYPED_WITHOUT_BOX)
    adding(path, name, {**BOX, "root": root}).write()
    text = path.read_text(encoding="utf-8")
    assert text.startswith(TYPED_WITHOUT_BOX)
    assert tomllib.loads(text)["hosts"][name] == {**BOX, "root": root}
    removing(path, name).write()
    assert path.read_text() == TYPED_WITHOUT_BOX
