"""Values of parameters for tests: another one than the default, and any that are allowed."""

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from cosmosq.engines.parameter import Parameter, Value
from cosmosq.engines.parameters import PARAMETERS

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1).filter(str.strip)


def other_value(parameter: Parameter) -> Value:
    """An allowed value that is not the default."""
    if parameter.choices:
        return next(choice for choice in parameter.choices if choice != parameter.default)
    if parameter.json:
        return json.dumps([{"mask_prompt": "cup", "prompt": "a red cup"}])
    if isinstance(parameter.default, bool):
        return not parameter.default
    if isinstance(parameter.default, str):
        return f"other {parameter.name}"
    return parameter.type(parameter.default + 1)


def allowed(parameter: Parameter) -> st.SearchStrategy[Value]:
    """Any value that the parameter takes, as it is stored."""
    if parameter.choices:
        return st.sampled_from(parameter.choices)
    if parameter.json:
        regions = st.lists(st.fixed_dictionaries({"mask_prompt": words, "prompt": words}), min_size=1, max_size=2)
        return regions.map(lambda listed: json.dumps(listed, ensure_ascii=False, sort_keys=True))
    if parameter.type is bool:
        return st.booleans()
    if parameter.type is str:
        return words
    assert parameter.minimum is not None
    assert parameter.maximum is not None
    if parameter.type is int:
        return st.integers(int(parameter.minimum), int(parameter.maximum))
    return st.floats(parameter.minimum, parameter.maximum)


def some_values() -> st.SearchStrategy[Mapping[str, Any]]:
    """Allowed values of some parameters by name."""
    return st.fixed_dictionaries({}, optional={parameter.name: allowed(parameter) for parameter in PARAMETERS})
