"""Makes docs/checks/ from the docstrings of the checks, the table of rules in docs/lint.md, that of symptoms in the
README and the manual page (`make docs`), or checks that they are fresh (`--check`).

The pages say what `btdiag explain` says, from the same catalogue.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from btdiag.engine.catalogue import Catalogue, catalogue, in_the_lab, lab_command  # noqa: E402
from btdiag.engine.checks import Check  # noqa: E402
from btdiag.engine.labhost import declared_scenarios  # noqa: E402
from btdiag.engine.symptoms import symptoms_table  # noqa: E402
from btdiag.lint.catalogue import rules_table  # noqa: E402
from tests import manual  # noqa: E402

FOLDER = ROOT / "docs" / "checks"
README = ROOT / "README.md"
MANUAL = ROOT / "docs" / "btdiag.1"
SYMPTOMS = "<!-- symptoms -->\n"
LINT = ROOT / "docs" / "lint.md"
RULES = "## Rules\n\n"
INDEX = "README.md"
TARGET = "https://api.example.com"
MADE = "<!-- Made by `make docs` from the docstrings in checks/: change those. -->\n\n"


def pages() -> dict[str, str]:
    """The text of every page by its file name."""
    found = catalogue()
    listed = declared_scenarios()
    families = {name: list(checks) for name, checks in groupby(found.checks, key=lambda check: check.family)}
    made = {f"{name}.md": _family(name, checks, found, listed) for name, checks in families.items()}
    return {INDEX: _index(families, found), **made}


def escaped(text: str) -> str:
    """Prose of a docstring in Markdown: code in backticks stays, addresses become links, nothing else is markup."""
    parts = re.split(r"(`[^`]+`|https?://[^\s;,)]*[^\s;,).])", text)
    return "".join(_linked(part) if index % 2 else _literal(part) for index, part in enumerate(parts))


def _linked(part: str) -> str:
    return part if part.startswith("`") else f"<{part}>"


def _literal(part: str) -> str:
    return re.sub(r"([\\*<\[\]|]|\b_|_\b)", r"\\\1", part)


def _about(checks: Sequence[Check]) -> str:
    """What the family is about: the docstring of the file that its checks stand in."""
    return str(checks[0].function.__globals__["__doc__"]).strip()


def _index(families: Mapping[str, Sequence[Check]], found: Catalogue) -> str:
    count = sum(len(checks) for checks in families.values())
    parts = [
        f"# The {count} checks, by family",
        "In the order in which a request meets what they test. `btdiag checks` prints the list, `btdiag explain ID` "
        "what a page says of one check. *Waits* are idle times that pass at the same time as everything else; "
        "`--quick` leaves them out.",
    ]
    for name, checks in families.items():
        rows = [(f"[{check.id}]({name}.md#{_anchor(check)})", _title(check), _wait(check, found)) for check in checks]
        table = tabulate(rows, headers=("check", "claim", "waits"), tablefmt="github")
        parts.append(f"## [{name}]({name}.md)\n\n{escaped(_about(checks))}\n\n{_tight(table)}")
    return MADE + "\n\n".join(parts) + "\n"


def _tight(table: str) -> str:
    """The table without its padding, so that one long claim does not move every line of a diff."""
    return "\n".join(re.sub(r" {2,}", " ", re.sub(r"-{3,}", "---", line)) for line in table.splitlines())


def _family(name: str, checks: Sequence[Check], found: Catalogue, listed: Sequence[Mapping[str, Any]]) -> str:
    head = f"# {name}\n\n{escaped(_about(checks))}\n\n```sh\nbtdiag run --target {TARGET} --only {name}\n```"
    return MADE + "\n\n".join([head, *(_check(check, found, listed) for check in checks)]) + "\n"


def _check(check: Check, found: Catalogue, listed: Sequence[Mapping[str, Any]]) -> str:
    text = check.explanation
    parts = [f"## {check.id}", f"**{_title(check)}.**", escaped(text.why)]
    if text.measured:
        parts.append(f"**How it is measured:** {escaped(text.measured)}")
    if found.wait_s(check):
        parts.append(
            f"**It waits** about {_wait(check, found)}, at the same time as everything else; `--quick` leaves the wait "
            "out."
        )
    if text.remedy:
        parts.append(f"**What to do:** {escaped(text.remedy)}")
    if text.sources:
        parts.append("**Sources:**\n\n" + "\n".join(f"- {escaped(source)}" for source in text.sources))
    parts.append(_shown(check, listed))
    return "\n\n".join(part for part in parts if part)


def _shown(check: Check, listed: Sequence[Mapping[str, Any]]) -> str:
    """Where the lab shows the check failing, warning or undecided, and the command for the first of them."""
    shown = in_the_lab(check.id, listed)
    lines = [f"- See it {word}: " + ", ".join(f"`{each['name']}`" for each in found) for word, found in shown.items()]
    commands = [lab_command(found[0], check.id) for found in shown.values()][:1]
    if not lines:
        return ""
    return "**In the lab:**\n\n" + "\n".join(lines) + "\n\n```sh\n" + "\n".join(commands) + "\n```"


def _title(check: Check) -> str:
    return escaped(check.explanation.title)


def _wait(check: Check, found: Catalogue) -> str:
    return f"{wait:g} s" if (wait := found.wait_s(check)) else "-"


def _anchor(check: Check) -> str:
    """The anchor that GitHub and GitLab give to the check's heading."""
    return check.id.replace(".", "")


def write(made: Mapping[str, str]) -> None:
    """Write the pages, and remove those of families that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, "utf-8")


def lint_page() -> str:
    """The page of lint: what is written by hand, and the table of rules by version and source under its heading."""
    return LINT.read_text("utf-8").partition(RULES)[0] + RULES + rules_table()


def readme() -> str:
    """The README: what is written by hand, and the table of symptoms under its mark."""
    before, mark, after = README.read_text("utf-8").partition(SYMPTOMS)
    return before + mark + symptoms_table() + "\n\n" + after.partition("\n\n")[2]


def stale(made: Mapping[str, str]) -> list[str]:
    """The pages that are missing, differ from the docstrings, or belong to no family."""
    stored = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.md")}
    return sorted(name for name in made.keys() | stored.keys() if made.get(name) != stored.get(name))


def main(arguments: Sequence[str]) -> int:
    """Write, or check; returns the exit code."""
    made = pages()
    if list(arguments) != ["--check"]:
        write(made)
        LINT.write_text(lint_page(), "utf-8")
        README.write_text(readme(), "utf-8")
        MANUAL.write_text(manual.page(), "utf-8")
        return 0
    found = stale(made)
    if LINT.read_text("utf-8") != lint_page():
        found.append("../lint.md")
    if README.read_text("utf-8") != readme():
        found.append("../../README.md")
    if MANUAL.read_text("utf-8") != manual.page():
        found.append("../btdiag.1")
    print(f"docs/checks is not what the code says: {', '.join(found)}" if found else "docs/checks is fresh")
    if found:
        print("make docs writes it anew")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
