"""The `[notify]` table: every key, and what is not allowed."""

from typing import Any

import pytest

from cosmosq.config import NotifyConfig, parse_config
from cosmosq.errors import InvalidConfig
from cosmosq.notify_keys import NOTIFY_KEYS, OCCASIONS
from cosmosq.occasions import Occasion

WRONG: dict[str, list[Any]] = {
    "command": ["mail 'me", "  ", "a\x00b", 1, ["mail"]],
    "webhook": [
        "file:///etc/passwd",
        "ftp://x.example/a",
        "x.example/a",
        "https://",
        "http://me:pw@x.example/a",
        "https://x.example/a b",
        "https://x.example/a\r\nX: 1",
        "http://x.example:99999/",
        "http://[::1/",
        "https://x.example/ä",
        1,
    ],
    "secret_env": ["A-B", "1A", "A=B", 1],
    "secret_file": ["a\x00b", 1],
    "desktop": ["yes", 1, None],
    "on": ["job_failed", ["test"], ["all"], [1], [["job_failed"]], {}],
    "bundle_s": [-1, "60", True, 1e6, float("nan")],
    "timeout_s": [0, 601, "10", True, float("inf")],
}


def parse(**keys: Any) -> NotifyConfig:
    return parse_config({"default_host": "sim", "hosts": {"sim": {}}, "notify": keys}, source="/w/cosmosq.toml").notify


def refused(**keys: Any) -> str:
    with pytest.raises(InvalidConfig) as error:
        parse(**keys)
    return str(error.value).removeprefix("/w/cosmosq.toml: notify.")


def test_every_key_has_wrong_values_here() -> None:
    assert {key.name for key in NOTIFY_KEYS} == set(WRONG)


@pytest.mark.parametrize("key", NOTIFY_KEYS, ids=lambda key: key.name)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(key: Any) -> None:
    for value in WRONG[key.name]:
        told = refused(**{key.name: value})
        assert told.startswith(f"{key.name} = ")
        assert told.endswith(f"give {key.allowed}"), told
    assert key.accepts(key.default)


def test_without_a_table_nobody_is_told_and_nothing_is_left_out() -> None:
    config = parse()
    assert (config.command, config.webhook, config.desktop) == ("", "", False)
    assert set(config.on) == set(OCCASIONS) == set(Occasion) - {Occasion.TEST}


@pytest.mark.parametrize("url", ["https://hooks.example/T0/B0", "http://127.0.0.1:8080", "http://[::1]:80/a?b=c"])
def test_addresses_of_webhooks(url: str) -> None:
    assert parse(webhook=url).webhook == url


def test_an_unknown_key_a_table_that_is_none_and_secrets_without_sense_are_refused() -> None:
    assert refused(mail="me").startswith("mail = 'me': no such key; there are command, webhook, ")
    with pytest.raises(InvalidConfig, match=r"notify = 'me' is not allowed: write a \[notify\] table"):
        parse_config({"hosts": {"sim": {}}, "notify": "me"}, source="f")
    assert refused(webhook="http://x/", secret_env="A", secret_file="b").startswith("secret_file is not allowed with")
    assert refused(secret_env="A").startswith("webhook is missing")
