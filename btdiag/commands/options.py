"""Options that several commands take, those of `run` from the table of options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from btdiag.config.options import FORMAT_NAMES, OPTIONS, Option, ValueKind

EXIT_CODES = """\b
Exit codes, the same for every format:
  0    nothing at or above --fail-on
  1    findings
  2    the command or its configuration is wrong
  3    nothing is known: btdiag crashed, or no check could be decided
  130  interrupted; the partial report was written"""


class Grouped(click.Command):
    """A command whose options are listed by group, as the table of options has them."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        of = {option.key: option.group for option in OPTIONS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(of.get(parameter.name or "", "Other"), []).append(record)
        for group, records in groups.items():
            with formatter.section(group):
                formatter.write_dl(records)


def _decorator(option: Option) -> Callable[[Any], Any]:
    """The click option for one row of the table; click checks nothing but the form, config.py the values."""
    names = [f"-{option.short}"] if option.short else []
    names.append(f"--{option.name}/--no-{option.name}" if option.kind is ValueKind.SWITCH else f"--{option.name}")
    hint = f" [{option.env}]" if option.env else ""
    more: dict[str, Any] = {"help": option.help + hint, "default": None}
    if option.kind is ValueKind.FLAG:
        more |= {"is_flag": True, "flag_value": True}
    elif option.kind is not ValueKind.SWITCH:
        more |= {"metavar": option.metavar or "|".join(option.choices) or "VALUE", "multiple": option.repeatable}
        more |= {"shell_complete": lambda ctx, parameter, incomplete: suggestions().values_of(option, incomplete)}
    return click.option(*names, option.key, **more)


def suggestions() -> Any:
    """What a shell completes; the module is loaded when one does."""
    from btdiag.engine import completing

    return completing


def run_options(function: Any) -> Any:
    """Give a command all options of `run`."""
    for option in reversed(OPTIONS):
        function = _decorator(option)(function)
    return function


SERVED = (
    *("target", "targets", "profile", "parallel", "checks", "api_key_env", "key_over_http", "header", "ca"),
    *("client_cert", "client_key", "proxy", "no_proxy", "nameserver", "app_url"),
)
"""The options of `run` that say which targets are watched, and as whom; modules say how."""


def served_options(function: Any) -> Any:
    """Give a command those options of `run` that `serve` takes."""
    for option in reversed([option for option in OPTIONS if option.key in SERVED]):
        function = _decorator(option)(function)
    return function


FORMAT = click.option("--format", "format_", type=click.Choice(FORMAT_NAMES), default="text", help="what to print")
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="passes and skips too, with evidence")
NO_COLOR = click.option("--no-color", is_flag=True, help="no colours", envvar="NO_COLOR")
