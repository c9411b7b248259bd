"""One named input to an engine: its type, range, default and meaning, and how a value is checked."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cosmosq.errors import InvalidInput

Value = str | int | float | bool
Values = Mapping[str, Value]


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One row of an engine's parameter table: it validates, documents and renders."""

    name: str
    """As a person types it, e.g. `edge.weight`."""
    type: type[Value]
    default: Value
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    required: bool = False
    """An empty text is refused."""
    json: bool = False
    """The text is a JSON list."""

    @cached_property
    def column(self) -> str:
        """Name of its column in `parameter_sets` and in CSV files."""
        return self.name.replace(".", "_")

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return ", ".join(self.choices)
        if self.json:
            return "a JSON list of objects"
        if self.type is str:
            return "text" if not self.required else "text, not empty"
        if self.type is bool:
            return "true or false"
        noun = "an integer" if self.type is int else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {_plain(self.minimum)} to {_plain(self.maximum)}"
        return f"{noun} of at least {_plain(self.minimum)}" if self.minimum is not None else noun

    def check(self, value: object) -> Value:
        """The value in this parameter's type.

        Raises:
            InvalidInput: wrong type or out of range; names parameter, value and what is allowed.
        """
        converted = self._convert(value)
        if converted is None or not self._within(converted):
            shown = value if isinstance(value, str) else _as_text(value)
            raise InvalidInput(f"{self.name} = {str(shown)[:200]} is not allowed: give {self.allowed}")
        return converted

    def _convert(self, value: object) -> Value | None:
        if self.json:
            return _as_json(value)
        if self.type is str:
            return value if isinstance(value, str) else None
        if self.type is bool:
            return _as_bool(value)
        number = _as_number(value)
        if number is None:
            return None
        if self.type is int:
            return int(number) if number == int(number) else None
        return float(number)

    def _within(self, value: Value) -> bool:
        if isinstance(value, str):
            if "\x00" in value or not _is_unicode(value) or (self.required and not value.strip()):
                return False
            return not self.choices or value in self.choices
        above = self.minimum is None or value >= self.minimum
        return above and (self.maximum is None or value <= self.maximum)


def _as_text(value: object) -> str:
    try:
        return json.dumps(value, default=str)
    except ValueError:
        # Python refuses to write down more than 4,300 digits.
        return "a number of very many digits"


def _plain(number: float) -> str:
    """Without exponent and without needless decimals."""
    return str(int(number)) if number == int(number) else str(number)


def _as_number(value: object) -> int | float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            try:
                value = float(value)
            except ValueError:
                return None
    if isinstance(value, int):
        # No parameter is as large, and a float could not hold it.
        return value if value.bit_length() <= 64 else None
    return value if isinstance(value, float) and math.isfinite(value) else None


def _as_bool(value: object) -> bool | None:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    return value if isinstance(value, bool) else words.get(str(value).lower())


def _as_json(value: object) -> str | None:
    """A list of objects in one spelling, the empty list as the empty text; None for anything else."""
    try:
        items = json.loads(value or "[]") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return None
        return json.dumps(items, ensure_ascii=False, sort_keys=True, allow_nan=False) if items else ""
    except (ValueError, RecursionError):
        return None


def _is_unicode(text: str) -> bool:
    """Whether it can be stored: bytes of the command line that are no UTF-8 arrive as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
