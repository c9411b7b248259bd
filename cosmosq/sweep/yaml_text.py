"""A sweep's document from YAML, with the line of everything; the only importer of ruamel.yaml."""

from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from cosmosq.errors import InvalidInput
from cosmosq.sweep.node import Path, dotted


def load(text: str, *, source: str) -> tuple[dict[str, Any], Callable[[Path], str]]:
    """The document, and what names the place of something in it: `weights.yaml:7: parameters.guidance`.

    Args:
        source: the file's name.

    Raises:
        InvalidInput: broken YAML, a key that comes twice, or no mapping.
    """
    try:
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        key = str(error.problem).split('"')[1]
        raise InvalidInput(f"{source}:{_line(error)}: {key} comes twice: keep one") from error
    except MarkedYAMLError as error:
        problem = error.problem or error.context
        raise InvalidInput(f"{source}:{_line(error)}: broken YAML ({problem}): mend the line") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{source}: broken YAML ({error}): mend it") from error
    if not isinstance(tree, CommentedMap):
        raise InvalidInput(f"{source}: it holds no keys: write method, parameters, … below one another")

    def place(path: Path) -> str:
        return f"{source}:{_line_of(tree, path)}: {dotted(path)}" if path else source

    return _plain(tree), place


def _line(error: MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return (mark.line if mark is not None else 0) + 1


def _line_of(tree: Any, path: Path) -> int:
    """The line of the last part of the path that is there, counted from 1."""
    line = 0
    for key in path:
        if isinstance(tree, CommentedMap) and key in tree:
            line = tree.lc.key(key)[0]
        elif isinstance(tree, CommentedSeq) and isinstance(key, int) and key < len(tree):
            line = tree.lc.item(key)[0]
        else:
            break
        tree = tree[key]
    return line + 1


def _plain(value: Any) -> Any:
    """Python's own types: the loader's keep quotes and comments."""
    if isinstance(value, CommentedMap):
        return {_plain(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, CommentedSeq):
        return [_plain(inner) for inner in value]
    if type(value).__name__ == "ScalarBoolean":
        return bool(value)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
