"""Alarms for REFERENCE.md: what they are about, and the message that a person is sent."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields
from types import ModuleType
from typing import Any

from reference_tables import table

from cosmosq import occasions
from cosmosq.notify import deliveries, message, webhook
from cosmosq.worker import courier

LIST_JSON = (*deliveries.ALARM_FIELDS, "deliveries")
DELIVERY_JSON = deliveries.DELIVERY_FIELDS
TEST_JSON = ("way", "ok", "error")

_TEXT = """\
`[notify]` names the ways on which the worker takes alarms to a person; see [Being told](docs/alarms.md).

{occasions}
A message is a JSON object, on stdin of `command` and as the body of a POST to `webhook`:

{message}
Each of its `alarms`, {most} at most:

{notice}
With a secret, the header `{header}` is `sha256=` and the HMAC-SHA256 of the body in hex. A message is tried
{tries} times, with pauses of {pauses} s; an answer of the 200s, or exit code 0, is success.
"""


def alarms() -> str:
    """The section."""
    docs = dict(_docs(occasions, "Occasion"))
    listed = ((f"`{o}`", docs[o.name]) for o in occasions.Occasion)
    return _TEXT.format(
        occasions=table(("occasion", "when"), listed),
        message=_fields(message.Message),
        notice=_fields(message.Notice),
        most=deliveries.MOST,
        header=webhook.SIGNATURE,
        tries=len(courier.PAUSES_S) + 1,
        pauses=" and ".join(f"{pause:g}" for pause in courier.PAUSES_S),
    )


def _fields(kind: type[Any]) -> str:
    docs = dict(_docs(message, kind.__name__))
    names = {"datetime": "text, ISO 8601", "str": "text", "int": "integer", "dict": "object"}
    lines = []
    for field in fields(kind):
        told = str(getattr(field.type, "__name__", field.type))
        optional = told.endswith(" | None")
        told = "array" if told == "tuple" else names.get(told.removesuffix(" | None"), told)
        lines.append((f"`{field.name}`", told + (" or null" if optional else ""), docs.get(field.name, "")))
    return table(("field", "type", "meaning"), lines)


def _docs(module: ModuleType, name: str) -> Iterator[tuple[str, str]]:
    """Members of a class and the text below each."""
    tree = ast.parse(inspect.getsource(module))
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    for line, text in zip(found.body, found.body[1:], strict=False):
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            if isinstance(line, ast.AnnAssign):
                yield ast.unparse(line.target), str(text.value.value)
            elif isinstance(line, ast.Assign):
                yield ast.unparse(line.targets[0]), str(text.value.value)
