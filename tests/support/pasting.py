"""What a report gives to be pasted into a shell: does it parse as it stands, and are its options known?"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache

import click

from btdiag.cli import cli
from tests.support.tools import need

PROGRAMS = frozenset(
    (
        *("aws", "az", "btdiag", "cat", "certutil", "chronyc", "curl", "dig", "docker", "export", "gcloud", "getent"),
        *("helm", "ip", "kubectl", "nc", "nft", "nginx", "npm", "openssl", "pip", "printenv", "python", "python3"),
        *("resolvectl", "sudo", "sysctl", "tar", "terraform", "timedatectl", "ulimit", "update-ca-certificates"),
    )
)
TO_FIND_OUT = re.compile(r"to find out: (btdiag .*)")


def shell_lines(code: str) -> str:
    """The code, if it is for a shell: its first word is a program; else ""."""
    first = code.lstrip("# \n").split(maxsplit=1)
    return code if first and first[0] in PROGRAMS and not code.startswith("#") else ""


def commands(report: dict[str, object]) -> Iterator[str]:
    """All of a report: of each check that needs attention how to see only that again, of each undecided one how to find
    out, and the remedies' commands."""
    checks = report["checks"]
    assert isinstance(checks, list)
    for check in checks:
        if check["verdict"] in {"fail", "warn", "inconclusive"}:
            yield check["rerun"]
        if found := TO_FIND_OUT.search(check["summary"]):
            yield found[1]
        for snippet in (check["remedy"] or {}).get("snippets", ()):
            if code := shell_lines(snippet["code"]):
                yield code


def faults(found: Iterable[str]) -> list[str]:
    """What is wrong with these commands; nothing where each parses."""
    unique = list(dict.fromkeys(found))
    wrong = [fault for code in unique for fault in _of_words(code)]
    return wrong or _of_shell(unique)


def _of_shell(codes: list[str]) -> list[str]:
    """One shell reads them all, as bodies of functions: it runs none."""
    script = "".join(f"f{number}() {{\n{code}\n}}\n" for number, code in enumerate(codes))
    done = subprocess.run([need("bash"), "-n"], input=script, capture_output=True, text=True, check=False, timeout=20)
    return [done.stderr] if done.returncode else []


def _of_words(code: str) -> Iterator[str]:
    try:
        words = shlex.split(code.replace("\\\n", " "), comments="\n" in code)
    except ValueError as error:
        yield f"{code}: {error}"
        return
    if words[:1] == ["btdiag"]:
        yield from _of_btdiag(tuple(words[1:]))
    if words[:1] == ["curl"]:
        known = curl_options()
        yield from (
            f"{code}: {word}" for word in words if word.startswith("--") and word.partition("=")[0] not in known
        )


@cache
def _of_btdiag(words: tuple[str, ...]) -> tuple[str, ...]:
    command = cli.get_command(click.Context(cli), words[0]) if words else None
    if command is None:
        return (f"btdiag {' '.join(words)}: no such command",)
    try:
        command.make_context(words[0], list(words[1:]))
    except click.UsageError as error:
        return (f"btdiag {' '.join(words)}: {error.format_message()}",)
    return ()


@cache
def curl_options() -> frozenset[str]:
    """The long options of the curl that is here."""
    said = subprocess.run(
        [need("curl"), "--help", "all"], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    return frozenset(re.findall(r"--[a-z0-9.-]+", said))
