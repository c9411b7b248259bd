"""The keys of the `[notify]` table of `cosmosq.toml`."""

import re
import shlex
from typing import Any
from urllib.parse import urlsplit

from cosmosq.config_keys import Key
from cosmosq.occasions import Occasion

OCCASIONS = tuple(str(occasion) for occasion in Occasion if occasion != Occasion.TEST)
"""Those that can be chosen; a test is asked for."""


def _is_command(value: Any) -> bool:
    if not isinstance(value, str) or "\x00" in value:
        return False
    try:
        return value == "" or bool(shlex.split(value))
    except ValueError:
        return False


def _is_webhook(value: Any) -> bool:
    if value == "":
        return True
    if not isinstance(value, str) or re.search(r"[\s\x00-\x1f\x7f]", value) or not value.isascii():
        return False
    try:
        url = urlsplit(value)
        has_place = bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    return url.scheme in ("http", "https") and has_place and url.username is None


def _is_variable(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"([A-Za-z_][A-Za-z0-9_]*)?", value) is not None


NOTIFY_KEYS = (
    Key(
        name="command",
        default="",
        allowed="a command line, e.g. mail-me --urgent; empty for none",
        meaning="Run for each message, without a shell and in the workspace, with the message as JSON on stdin.",
        accepts=_is_command,
    ),
    Key(
        name="webhook",
        default="",
        allowed="an http or https address without a login in it; empty for none",
        meaning="Each message is posted there as JSON; no redirect is followed.",
        accepts=_is_webhook,
    ),
    Key(
        name="secret_env",
        default="",
        allowed="the name of an environment variable",
        meaning="Holds the secret that messages to the webhook are signed with.",
        accepts=_is_variable,
    ),
    Key(
        name="secret_file",
        default="",
        allowed="a path, relative to the workspace",
        meaning="Or a file that holds it, for workers that are no children of a shell; its mode should be 0600.",
        accepts=lambda value: isinstance(value, str) and "\x00" not in value,
    ),
    Key(
        name="desktop",
        default=False,
        allowed="true, false",
        meaning="Show messages on the desktop, by notify-send or osascript.",
        accepts=lambda value: isinstance(value, bool),
    ),
    Key(
        name="on",
        default=list(OCCASIONS),
        allowed=f"a list of {', '.join(OCCASIONS)}",
        meaning="What to be told of; by default everything: leave out queue_empty where a finished night may wait.",
        accepts=lambda value: isinstance(value, list) and all(item in OCCASIONS for item in value),
    ),
    Key(
        name="bundle_s",
        default=60,
        allowed="a number from 0 to 86400",
        meaning="At most one message a way in so many seconds, with all alarms of that time in it.",
        accepts=lambda value: type(value) in (int, float) and 0 <= value <= 86400,
    ),
    Key(
        name="timeout_s",
        default=10,
        allowed="a number from 1 to 600",
        meaning="Seconds that a command or a webhook has for one try.",
        accepts=lambda value: type(value) in (int, float) and 1 <= value <= 600,
    ),
)
