"""The corrections that are safe, as a unified diff: one value of one line each, nothing around it.

The diff has no context lines, which might hold secrets: `patch -p0` and `git apply -p0 --unidiff-zero` take it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from btdiag.lint.judging import FileFinding

_VALUE = re.compile(
    r"""(?P<head>.*?(?:[:=]|-\s)\s*)(?P<value>"[^"]*"|'[^']*'|\{\s*\}|[^\s#,}\]]+)(?P<tail>\s*(?:[,#}].*)?)$"""
)


def diff(findings: Sequence[FileFinding], texts: Mapping[str, str]) -> str:
    """The diff for all files; "" if nothing is safe to correct. `texts` are the files as they were read."""
    parts = []
    for file in dict.fromkeys(finding.file for finding in findings):
        lines = texts.get(file, "").splitlines()
        changes: dict[int, str] = {}
        for finding in findings:
            if finding.file == file and finding.fix is not None and finding.waived is None:
                corrected = _corrected(lines, finding)
                if corrected is not None and finding.line not in changes:
                    changes[finding.line] = corrected
        if changes:
            parts += [f"--- {file}", f"+++ {file}"]
        for number, corrected in sorted(changes.items()):
            parts += [f"@@ -{number} +{number} @@", f"-{lines[number - 1]}", f"+{corrected}"]
    return "\n".join(parts) + "\n" if parts else ""


def _corrected(lines: Sequence[str], finding: FileFinding) -> str | None:
    """The line with its value replaced; None where the line is not one key and one value."""
    if not 0 < finding.line <= len(lines) or finding.fix is None:
        return None
    line = lines[finding.line - 1]
    match = _VALUE.fullmatch(line[finding.column - 1 :])
    if match is None or (match["value"][:1] in "&*|>!${[" and match["value"].replace(" ", "") != "{}"):
        return None
    value = finding.fix
    if match["value"][:1] in "\"'" and value[:1] not in "\"'" and value != "null":
        value = f"{match['value'][0]}{value}{match['value'][0]}"
    elif match["value"][:1] not in "\"'" and value[:1] == '"' and file_is_env(finding.file):
        value = value.strip('"')
    corrected = line[: finding.column - 1] + match["head"] + value + match["tail"]
    return corrected if corrected != line else None


def file_is_env(name: str) -> bool:
    """Whether a file holds NAME=VALUE lines, where quotes are not needed."""
    base = name.rsplit("/", 1)[-1]
    return base.endswith(".env") or base.startswith(".env")
