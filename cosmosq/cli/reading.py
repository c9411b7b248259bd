"""Reading what a person names: a file, or stdin."""

import click

from cosmosq.errors import InvalidInput, NotFound


def read_text(name: str) -> str:
    """The text of a file, without the line break at its end; `-` is stdin.

    Raises:
        NotFound: no such file.
        InvalidInput: it cannot be read, or is not UTF-8.
    """
    try:
        # As bytes: reading text would turn every CR LF into LF.
        with click.open_file(name, "rb") as stream:
            content: str = stream.read().decode()
    except FileNotFoundError as error:
        raise NotFound(f"no such file: {name}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{name} cannot be read as UTF-8 text: {error}") from error
    return content.removesuffix("\n").removesuffix("\r") if content.endswith("\n") else content
