"""The rules by id, their table for the documents, and what `btdiag explain` says of one."""

from __future__ import annotations

from collections.abc import Mapping

from btdiag.lint.ruletable import LISTED, RANGES, LintRule

RULES: Mapping[str, LintRule] = {rule.id: rule for rule in LISTED}


def rules_table() -> str:
    """The rules as a table in Markdown: claim, versions, sources."""
    rows = ["| Rule | Claim | Versions | Sources |", "|---|---|---|---|"]
    for rule in RULES.values():
        sources = ", ".join(f"[{_label(source)}]({source})" for source in rule.sources)
        rows.append(f"| `{rule.id}` | {rule.title} | {RANGES.get(rule.id, 'all')} | {sources} |")
    return "\n".join(rows) + "\n"


def _label(source: str) -> str:
    """The last words of an address: "helm", "resource management"."""
    path = source.partition("#")[0].rstrip("/")
    return path.rsplit("/", 1)[-1].replace("-", " ")


def explain_rule(id_: str) -> str | None:
    """What `btdiag explain` prints for a rule; None for an id that is none."""
    rule = RULES.get(id_)
    if rule is None:
        return None
    versions = f"Versions: {RANGES.get(rule.id, 'all')}."
    lines = [
        f"{rule.id}: {rule.title}",
        "",
        rule.why,
        "",
        versions,
        "Judged by btdiag lint, from files alone.",
        "",
        "Sources:",
    ]
    return "\n".join([*lines, *(f"  {source}" for source in rule.sources)])
