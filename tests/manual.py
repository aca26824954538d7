"""Makes the manual page docs/btdiag.1 from the commands and the table of options (`make docs`).

Source of the form: man-pages(7), groff_man(7).
"""

from __future__ import annotations

import click

from btdiag.cli import cli
from btdiag.commands.options import EXIT_CODES
from btdiag.config.options import OPTIONS

ENVIRONMENT = (
    ("BRAINTRUST_API_KEY", "the API key, sent to the target alone"),
    ("BTDIAG_DEBUG", "1 shows where btdiag itself failed"),
)
FILES = (
    ("btdiag.toml", "settings, found in the current directory; what it may set there is limited"),
    ("reports/", "where btdiag run writes its reports"),
)


def page() -> str:
    """The page in roff."""
    parts = [
        '.TH BTDIAG 1 "" "btdiag" "User Commands"',
        _section(
            "NAME", "btdiag \\- connectivity and load-balancer diagnostics for self-hosted Braintrust data planes"
        ),
        _section("SYNOPSIS", ".B btdiag\n.I command\n.RI [ options ]"),
        _section("DESCRIPTION", _text(str(cli.help))),
        _section("COMMANDS", *(_command(name, command) for name, command in sorted(cli.commands.items()))),
        _section("OPTIONS OF RUN", *_groups()),
        _section("EXIT STATUS", *_codes()),
        _section("ENVIRONMENT", *(_item(name, text) for name, text in (*_variables(), *ENVIRONMENT))),
        _section("FILES", *(_item(name, text) for name, text in FILES)),
    ]
    return "\n".join(parts) + "\n"


def _section(title: str, *parts: str) -> str:
    return "\n".join([f".SH {title}", *parts])


def _text(text: str) -> str:
    """Prose: hyphens as they are typed, no line that begins as a request does."""
    plain = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def _item(name: str, text: str) -> str:
    return f".TP\n.B {_text(name)}\n{_text(text)}"


def _command(name: str, command: click.Command) -> str:
    arguments = [one.metavar or str(one.name).upper() for one in command.params if isinstance(one, click.Argument)]
    lines = [_item(" ".join([name, *arguments]), str(command.help))]
    if name != "run":
        options = [one for one in command.params if isinstance(one, click.Option) and one.help]
        lines += [f".RS\n{_item(', '.join(one.opts), str(one.help))}\n.RE" for one in options]
    return "\n".join(lines)


def _groups() -> list[str]:
    """The table of options, group by group."""
    lines = []
    for group in dict.fromkeys(option.group for option in OPTIONS):
        lines.append(f".SS {group}")
        for option in OPTIONS:
            if option.group == group:
                short = f"-{option.short}, " if option.short else ""
                value = option.metavar or "|".join(option.choices)
                more = " (repeatable)" if option.repeatable else ""
                lines.append(_item(f"{short}--{option.name} {value}".rstrip(), f"{option.help}{more}"))
    return lines


def _codes() -> list[str]:
    rows = (line.split(maxsplit=1) for line in EXIT_CODES.splitlines()[2:])
    return [_item(code, text) for code, text in rows]


def _variables() -> list[tuple[str, str]]:
    return [(option.env, f"--{option.name}: {option.help}") for option in OPTIONS if option.env]
