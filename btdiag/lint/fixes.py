"""The corrections that are safe, as a unified diff: one value of one line each, nothing around it.

The diff has no context lines, which might hold secrets: `patch -p0` and `git apply -p0 --unidiff-zero` take it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from btdiag.lint.judging import FileFinding

_HEAD = r"(?P<head>.*?(?:[:=]|-\s)\s*)"
_QUOTED = r"\"[^\"]*\"|'[^']*'|\{\s*\}"
_FLOW = re.compile(rf"{_HEAD}(?P<value>{_QUOTED}|[^\s#,}}\]]+)(?P<tail>\s*(?:[,#}}\]].*)?)$")
_BLOCK = re.compile(rf"{_HEAD}(?P<value>{_QUOTED}|[^\s#](?:[^#]*[^\s#])?)(?P<tail>\s*(?:\s#.*)?)$")
"""One key and its value: among brackets a comma ends the value, elsewhere the end of the line or a comment does."""


def diff(findings: Sequence[FileFinding], texts: Mapping[str, str]) -> str:
    """The diff for all files; "" if nothing is safe to correct. `texts` are the files as they were read."""
    parts = []
    for file in dict.fromkeys(finding.file for finding in findings):
        lines = texts.get(file, "").splitlines()
        changes: dict[int, str] = {}
        for finding in sorted(findings, key=lambda one: -one.column):  # from right to left: columns stay true
            if finding.file == file and finding.fix is not None and finding.waived is None:
                line = changes.get(finding.line) or _line(lines, finding.line)
                corrected = _corrected(line, finding)
                if corrected is not None:
                    changes[finding.line] = corrected
        if changes:
            parts += [f"--- {file}", f"+++ {file}"]
        for number, corrected in sorted(changes.items()):
            parts += [f"@@ -{number} +{number} @@", f"-{lines[number - 1]}", f"+{corrected}"]
    return "\n".join(parts) + "\n" if parts else ""


def _line(lines: Sequence[str], number: int) -> str:
    return lines[number - 1] if 0 < number <= len(lines) else ""


def _corrected(line: str, finding: FileFinding) -> str | None:
    """The line with its value replaced; None where the line is not one key and one value."""
    before, after = line[: finding.column - 1], line[finding.column - 1 :]
    if finding.fix is None:
        return None
    within = before.count("{") + before.count("[") > before.count("}") + before.count("]")
    match = (_FLOW if within or after.lstrip()[:1] in "{[" else _BLOCK).fullmatch(after)
    if match is None or (match["value"][:1] in "&*|>!${[" and match["value"].replace(" ", "") != "{}"):
        return None
    value = finding.fix
    if match["value"][:1] in "\"'" and value[:1] not in "\"'" and value != "null":
        value = f"{match['value'][0]}{value}{match['value'][0]}"
    elif match["value"][:1] not in "\"'" and value[:1] == '"' and file_is_env(finding.file):
        value = value.strip('"')
    corrected = before + match["head"] + value + match["tail"]
    return corrected if corrected != line else None


def file_is_env(name: str) -> bool:
    """Whether a file holds NAME=VALUE lines, where quotes are not needed."""
    base = name.rsplit("/", 1)[-1]
    return base.endswith(".env") or base.startswith(".env")
