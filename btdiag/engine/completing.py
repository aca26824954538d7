"""What a shell may offer for a value: ids and families of checks, scenarios, choices, files. Offers nothing rather than
fail: whoever presses Tab wants no error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from click.shell_completion import CompletionItem

from btdiag.config.options import BRAINSTORE_ROLES, FORMAT_NAMES, Option, ValueKind

_BROWSERS = ("auto", "none")


def values_of(option: Option, incomplete: str) -> list[CompletionItem]:
    """The values that an option of `run` may have and that begin so."""
    if option.choices:
        return _items(option.choices, incomplete)
    if option.kind is ValueKind.PATH:
        return [CompletionItem(incomplete, type="dir" if option.metavar == "DIR" else "file")]
    match option.key:
        case "target":
            return scenario_names(incomplete, "lab:")
        case "only" | "skip":
            return [*_items(_families(), incomplete), *check_ids(incomplete)]
        case "browser":
            return _items(_BROWSERS, incomplete)
        case "brainstore":
            return _items([f"{role}=" for role in BRAINSTORE_ROLES], incomplete)
        case "report":
            return _items([f"{name}=" for name in FORMAT_NAMES], incomplete)
        case _:
            return []


def scenario_names(incomplete: str, prefix: str = "") -> list[CompletionItem]:
    """The lab's scenarios, each with what it is."""
    from btdiag.engine import labhost

    if not (prefix.startswith(incomplete) or incomplete.startswith(prefix)):
        return []  # a URL
    try:
        listed = labhost.declared_scenarios()
    except Exception:
        return []
    return _items([prefix + str(entry["name"]) for entry in listed], incomplete, [entry["summary"] for entry in listed])


def check_ids(incomplete: str) -> list[CompletionItem]:
    """The ids of all checks, each with its claim."""
    found = _catalogue()
    return _items([id_ for id_, _ in found], incomplete, [claim for _, claim in found])


def rules_and_checks(incomplete: str) -> list[CompletionItem]:
    """What `btdiag explain` knows by id."""
    from btdiag.lint.catalogue import RULES

    return [*check_ids(incomplete), *_items(RULES, incomplete, [rule.title for rule in RULES.values()])]


def _families() -> Iterable[str]:
    return dict.fromkeys(id_.partition(".")[0] for id_, _ in _catalogue())


def _catalogue() -> list[tuple[str, str]]:
    from btdiag.engine.catalogue import catalogue

    try:
        return [(check.id, check.explanation.title) for check in catalogue().checks]
    except Exception:
        return []


def _items(values: Iterable[str], incomplete: str, helps: Sequence[str] = ()) -> list[CompletionItem]:
    listed = list(values)
    told = [" ".join(text.split()) for text in helps] or [""] * len(listed)
    pairs = zip(listed, told, strict=True)
    return [CompletionItem(value, help=text or None) for value, text in pairs if value.startswith(incomplete)]
