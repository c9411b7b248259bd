"""Turning whatever a command raises into one line and an exit code."""

import errno
import logging
import sys
import traceback
from typing import Any

import click

from cosmosq.cli import output
from cosmosq.errors import CosmosqError, InternalError, StorageFailed
from cosmosq.spelling import nearest

INTERRUPTED = 130


def guarded(command: click.Command, arguments: list[str] | None, **extra: Any) -> int:
    """Run the command and return its exit code."""
    debug = "--debug" in (arguments if arguments is not None else sys.argv)
    if debug:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    try:
        code = command.main(arguments, standalone_mode=False, prog_name="cosmosq", **extra)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        output.say("interrupted")
        return INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        output.say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        _show_usage(error)
        return error.exit_code if error.exit_code != 1 else 2
    except CosmosqError as error:
        if debug:
            traceback.print_exc()
        output.fail(str(error))
        return error.exit_code
    except SystemExit:
        # Click's answer to a closed pipe: the reader (`head`, say) has seen enough.
        return 0
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            output.fail("the disk is full: free some space and repeat")
        elif error.filename is not None:
            output.fail(f"{str(error.filename)[:200]}: {error.strerror}")
        else:
            return _internal(error, debug)
        return StorageFailed.exit_code
    except Exception as error:
        return _internal(error, debug)


def _internal(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    output.fail(f"internal error: {type(error).__name__}: {str(error)[:300]}: please report it with --debug's output")
    return InternalError.exit_code


def _show_usage(error: click.ClickException) -> None:
    context = getattr(error, "ctx", None)
    see = f"`{context.command_path} --help`" if context is not None else ""
    if isinstance(error, click.NoSuchOption) and context is not None:
        names = [name for option in context.command.get_params(context) for name in option.opts]
        # All of them begin with dashes, which make none of them alike.
        hint = nearest(error.option_name.lstrip("-"), names)
        output.fail(f"{error.option_name} is no option{hint}: {see} lists them")
    else:
        output.fail(f"{error.format_message().rstrip('.')}{f': see {see}' if see else ''}")
