"""`cosmosq.toml`: every key, and an error that names file, key, value and what is allowed."""

import math
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmosq.config import load_config, parse_config
from cosmosq.config_keys import HOST_KEYS, TOP_KEYS, Key
from cosmosq.errors import InvalidConfig, NotFound
from cosmosq.template import TEMPLATE

HOST = {"sim": {"engine": "simulated"}}

WRONG: dict[str, list[Any]] = {
    "default_host": [1, "", "a b", "../x", "x" * 61, [], None],
    "retries": [-1, 101, 1.0, "2", True, []],
    "backoff_s": [-1, "30", math.inf, True],
    "repeat": [{"lost": "sometimes"}, {"blocked": "counted"}, {"lost": 1}, "never", []],
    "stop_after_failures": [-1, 1.0, "3", True, 1001],
    "probe_after_s": [-1, "300", math.inf, True],
    "max_overtake": [-1, 1.5, "2", True],
    "lease_s": [1, 0, -5, math.nan, math.inf, 1e9, "60", True],
    "measure": [1, 0, "true", "yes", None, []],
    "transport": ["carrier pigeon", "", 1, []],
    "address": [1, "a\x00b", []],
    "user": [1, "a\x00b"],
    "port": [-1, 65536, "22", True, 22.0],
    "identity": [1, "a\x00b"],
    "engine": ["", "sora", 1],
    "root": [1, "a\x00b", []],
    "python": [1, "a\x00b"],
    "checkout": [1, "a\x00b"],
    "checkpoint_dir": [1, "a\x00b"],
    "container": ["", " ", "docker 'x", 1, "a\x00b"],
    "image": [1, "a\x00b"],
    "gpus": ["none", "0,", "device=0", 0, "1 2"],
    "network": [1, "a\x00b"],
    "mounts": ["/x", ["x"], ["/x:y"], ["/x:/y:rw"], ["/a:/b:/c"], [1], ["/a\x00b"]],
    "hf_home": [1, "a\x00b"],
    "activate": [1, "a\x00b"],
    "offload": ["text_encoder_model", ["everything"], [1], [["text_encoder_model"]], {}],
    "prefetch": [-1, 21, 2.0, "2", True],
    "mode": ["", "cold", 1],
    "batch_size": [0, 65, "4", "automatic", True, 1.5],
    "num_gpus": [0, 65, "2", True],
    "idle_close": [-1, "60", math.nan, False],
    "stall_s": [0, -1, "1", math.inf],
    "window": ["22-07", "22:00-22:00", "22:00-07:00@Mars", ["22:00-07:00", 1], 22, {}],
    "window_grace": [-1, "60", math.nan, True],
    "price_per_hour": [-0.5, "2", math.inf, True],
    "currency": ["", "1", "a b", "x" * 11, 1],
    "timeout_s": [-1, "never", "60", math.inf, True, None],
    "simulator": [[], "x", 1],
}


def _document(key: Key, value: Any) -> dict[str, Any]:
    if key in TOP_KEYS:
        return {"hosts": HOST, "default_host": "sim", key.name: value}
    return {"hosts": {"sim": {key.name: value}}}


def _refused(document: dict[str, Any]) -> str:
    with pytest.raises(InvalidConfig) as refused:
        parse_config(document, source="/w/cosmosq.toml")
    assert str(refused.value).startswith("/w/cosmosq.toml: ")
    return str(refused.value).removeprefix("/w/cosmosq.toml: ")


def test_every_key_has_wrong_values_here() -> None:
    assert {key.name for key in (*TOP_KEYS, *HOST_KEYS)} <= set(WRONG)


@pytest.mark.parametrize("key", [*TOP_KEYS, *HOST_KEYS], ids=lambda key: key.name)
def test_a_wrong_value_is_refused_by_file_key_value_and_what_is_allowed(key: Key) -> None:
    prefix = "" if key in TOP_KEYS else "hosts.sim."
    for value in WRONG[key.name]:
        expected = f"{prefix}{key.name} = {value!r} is not allowed: give {key.allowed}"
        assert _refused(_document(key, value)) == " ".join(expected.split())


@pytest.mark.parametrize("key", [*TOP_KEYS, *HOST_KEYS], ids=lambda key: key.name)
def test_a_default_is_allowed_by_its_own_key_and_used(key: Key) -> None:
    assert key.accepts(key.default)
    assert key.meaning.endswith(".")
    config = parse_config({"hosts": {"sim": {}}}, source="x")
    found = getattr(config if key in TOP_KEYS else config.host("sim"), key.name)
    expected = {"python": sys.executable, "offload": (), "mounts": ()}.get(key.name, key.default)
    assert found == expected


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"retrys": 1, "hosts": HOST}, "retrys = 1: no such key; there are default_host, retries, backoff_s, "),
        ({"hosts": {"sim": {"rot": "x"}}}, "hosts.sim.rot = 'x': no such key; there are transport, "),
        ({"hosts": {}}, "default_host = 'sim' is no host: give a [hosts.NAME] table first"),
        ({}, "default_host = 'sim' is no host: give a [hosts.NAME] table first"),
        ({"hosts": {"gpu": {}, "big": {}}}, "default_host = 'sim' is no host: give gpu, big"),
        ({"hosts": 3}, "hosts = 3 is not allowed: write [hosts.NAME] tables"),
        ({"hosts": {"sim": 3}}, "hosts.sim = 3 is not allowed: write a [hosts.sim] table"),
        ({"hosts": {"../sim": {}}}, "hosts.'../sim' is no host name"),
        ({"hosts": {"sim": {"engine": "cosmos_transfer1"}}}, "hosts.sim.checkout is missing"),
        ({"hosts": {"sim": {"batch_size": 4}}}, "hosts.sim.batch_size is not allowed with mode warm"),
        ({"hosts": {"sim": {"mode": "warm", "num_gpus": 2}}}, "hosts.sim.num_gpus is not allowed with mode warm"),
        ({"hosts": {"sim": {"container": "docker"}}}, "hosts.sim.image is missing: container docker needs one"),
        (
            {"hosts": {"sim": {"container": "podman", "image": "i", "activate": "true"}}},
            "hosts.sim.activate is not allowed with a container",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(document: dict[str, Any], message: str) -> None:
    assert _refused(document).startswith(message)


@given(
    document=st.dictionaries(
        st.one_of(st.sampled_from([key.name for key in TOP_KEYS] + ["hosts"]), st.text(max_size=4)),
        st.recursive(
            st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2),
                st.dictionaries(st.one_of(st.sampled_from(["sim", *(k.name for k in HOST_KEYS)])), inner, max_size=3),
            ),
        ),
    )
)
def test_any_document_is_a_config_or_refused(document: dict[str, Any]) -> None:
    try:
        config = parse_config(document, source="/w/cosmosq.toml")
    except InvalidConfig as refused:
        assert str(refused).startswith("/w/cosmosq.toml: ")  # noqa: PT017
    else:
        assert config.default_host in config.hosts


def test_the_template_is_valid_commented_and_has_the_simulated_host(tmp_path: Path) -> None:
    path = tmp_path / "cosmosq.toml"
    path.write_text(TEMPLATE, encoding="utf-8")
    config = load_config(path)
    host = config.host()
    assert (host.name, host.transport, host.engine) == ("sim", "local", "simulated")
    assert tomllib.loads(TEMPLATE)["hosts"]["sim"]["transport"] == "local"
    assert TEMPLATE.count("\n# ") >= 3


def test_a_host_is_found_by_name_or_by_default() -> None:
    config = parse_config({"default_host": "b", "hosts": {"a": {}, "b": {}}}, source="x")
    assert (config.host().name, config.host("a").name) == ("b", "a")
    with pytest.raises(NotFound, match=r"^c is no host: cosmosq.toml has a, b$"):
        config.host("c")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"retries = \n", "broken TOML: Invalid value (at line 1, column 11)"),
        (b"a = 1\na = 2\n", "broken TOML: Cannot overwrite a value"),
        (b"default_host = '\xff'", "cannot be read: 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "cosmosq.toml"
    path.write_bytes(data)
    with pytest.raises(InvalidConfig) as refused:
        load_config(path)
    assert str(path) in str(refused.value)
    assert message in str(refused.value)


def test_a_missing_file_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="create the workspace with `cosmosq init`"):
        load_config(tmp_path / "cosmosq.toml")


def test_in_command_mode_orders_lie_ahead_for_a_load_to_serve() -> None:
    tables = {
        "warm": {},
        "single": {"mode": "command"},
        "auto": {"mode": "command", "batch_size": "auto"},
        "large": {"mode": "command", "batch_size": 12},
    }
    hosts = parse_config({"hosts": tables, "default_host": "warm"}, source="x").hosts
    assert [hosts[name].ahead for name in tables] == [2, 8, 8, 12]
    assert [hosts[name].largest_batch for name in tables] == [1, 1, 8, 12]
