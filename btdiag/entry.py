"""From a command line to an exit code: whatever goes wrong is one line on stderr, without a secret in it."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from btdiag.cli import cli
from btdiag.engine import mouth
from btdiag.report.escape import plain

LONGEST_COMPLAINT = 1_500
"""So many characters of one line say what is wrong; what a file or a server put into it may be megabytes."""
_COLLECTING = (10_000, 20, 50)
"""How often Python looks for cycles: a run makes many objects and few cycles, and looking as often as Python does by
itself (700, 10, 10) is a tenth of the processor time of many targets. It takes no memory that shows."""
_SHORTEST = 6  # a shorter secret is too likely a common word


def entry(arguments: Sequence[str]) -> NoReturn:
    """Run a command line; ends the process without waiting for threads that a resolver may still hold."""
    gc.set_threshold(*_COLLECTING)
    mouth.install()
    code = call(arguments)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):
            code = code or 1
        except mouth.CannotWriteError as error:
            code = code or _complain(str(error))
    os._exit(code)


def call(arguments: Sequence[str]) -> int:
    """Run a command line and give its exit code; what went wrong is said on stderr."""
    try:
        if "_BTDIAG_COMPLETE" in os.environ:
            cli.main(list(arguments), prog_name="btdiag", complete_var="_BTDIAG_COMPLETE")
        result = cli.main(list(arguments), prog_name="btdiag", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "btdiag"
        return _complain(f"{_first_line(_without_words(error)).rstrip('.')}: see {command} --help")
    except mouth.CannotWriteError as error:
        return _complain(str(error))
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        return 0
    except (KeyboardInterrupt, click.Abort):
        return 130
    except Exception as error:
        from btdiag.config import UsageError  # only who needs it waits for the import

        if isinstance(error, UsageError):
            return _complain(str(error))
        if os.environ.get("BTDIAG_DEBUG"):
            raise
        return _crashed(error)


def _crashed(error: Exception) -> int:
    _complain(
        f"btdiag itself failed: {f'{type(error).__name__}: {error}'[:LONGEST_COMPLAINT]} (BTDIAG_DEBUG=1 shows where)"
    )
    return 3


def _without_secrets(text: str) -> str:
    """What the environment holds of secrets must not stand in an error either, whoever made its text."""
    from btdiag.core.target import Secret
    from btdiag.report.redact import redact_text

    names = [name for name in os.environ if name == "BRAINTRUST_API_KEY" or name.lower().endswith("_proxy")]
    logins = [os.environ[name].rpartition("@")[0].rpartition("/")[2] or os.environ[name] for name in names]
    return redact_text(text, [Secret(login) for login in logins if len(login) >= _SHORTEST and "." not in login])


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _without_words(error: click.UsageError) -> str:
    """What click says, but for words that no option takes: a value without quotes falls apart into such words, and the
    second half of --header Authorization: Bearer KEY is the key."""
    said = error.format_message()
    return "Got words that belong to no option (put values with spaces in quotes)" if "extra argument" in said else said


def _complain(text: str) -> int:
    """The one line for a mistake of the user's."""
    line = plain(_without_secrets(" ".join(text.split())))
    if len(line) > LONGEST_COMPLAINT:
        line = f"{line[:LONGEST_COMPLAINT]} ..."
    with suppress(OSError, ValueError, mouth.CannotWriteError):  # nobody may be there to read it
        sys.stderr.write(f"btdiag: {line}\n")
    return 2
