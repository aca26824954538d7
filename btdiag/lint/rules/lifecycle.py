"""Lifecycle rules of buckets that delete what Brainstore still reads.

Brainstore's own retention knows what is live; a rule by age does not. Harmless are rules for old versions, for uploads
that were given up, and for what Brainstore itself marks as deleted (delete_ops).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import HclBlock, Node, NotEvaluated, Position
from btdiag.lint.subjects import Call, Hit, Subjects

_BRAINSTORE = re.compile(r"brainstore", re.IGNORECASE)
_HARMLESS = re.compile(r"delete_ops", re.IGNORECASE)


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every bucket of the files that is Brainstore's, and what modules are given."""
    for block in subjects.resources:
        kind = block.labels[0] if block.type == "resource" and block.labels else ""
        if kind == "aws_s3_bucket_lifecycle_configuration":
            yield from _s3(block, tuple(block.named("rule")))
        elif kind == "aws_s3_bucket":
            yield from _s3(block, tuple(block.named("lifecycle_rule")))
        elif kind == "google_storage_bucket":
            yield from _google(block)
        elif kind == "azurerm_storage_management_policy":
            yield from _azure(block)
    for call in subjects.calls:
        yield from _module(call)


def _hit(place: Position, key: str, days: str) -> Hit:
    after = f" after {days} days" if days else ""
    return Hit(
        rule="retention.buckets-keep-live-data",
        verdict=Verdict.FAIL,
        place=place,
        key=key,
        summary=f"the rule deletes live objects of Brainstore{after}: it cannot tell them from old ones",
        expected="rules for old versions only",
        seen=f"{days} days" if days else "",
        remedy="Remove the rule, and set retention in Braintrust: it deletes what nothing refers to any more.",
    )


def _names(block: HclBlock) -> str:
    texts = [
        *block.labels[1:],
        block.get("bucket").text or "",
        block.get("name").text or "",
        block.get("bucket_prefix").text or "",
    ]
    texts += [node.value.mentions for node in block.attributes.values() if isinstance(node.value, NotEvaluated)]
    return " ".join(texts)


def _s3(block: HclBlock, rules: tuple[HclBlock, ...]) -> Iterator[Hit]:
    for rule in rules:
        filters = [one.get("prefix").text or "" for one in (*rule.named("filter"), rule)]
        filters += [one.get("prefix").text or "" for two in rule.named("filter") for one in two.named("and")]
        prefix = " ".join(filters)
        off = rule.get("status").text == "Disabled" or rule.get("enabled").value is False
        ours = _BRAINSTORE.search(_names(block)) or _BRAINSTORE.search(prefix)
        if off or not ours or _HARMLESS.search(prefix):
            continue
        for expiration in rule.named("expiration"):
            days, date = expiration.get("days"), expiration.get("date")
            if days.place is not None and days.text != "0":
                yield _hit(days.place, "expiration.days", days.text or "")
            elif date.place is not None:
                yield _hit(date.place, "expiration.date", "")


def _google(block: HclBlock) -> Iterator[Hit]:
    if not _BRAINSTORE.search(_names(block)):
        return
    for rule in block.named("lifecycle_rule"):
        deletes = any(action.get("type").text == "Delete" for action in rule.named("action"))
        for condition in rule.named("condition"):
            age = condition.get("age")
            if deletes and age.place is not None and not _old_versions(condition.attributes.get):
                yield _hit(age.place, "lifecycle_rule.condition.age", age.text or "")


def _old_versions(get: Callable[[str], Node | None]) -> bool:
    """Whether a condition of Google's speaks of versions that were replaced, or of what is marked as deleted."""
    state = get("with_state")
    if state is not None and (state.text or "").upper() == "ARCHIVED":
        return True
    if any(
        get(name) is not None
        for name in ("num_newer_versions", "days_since_noncurrent_time", "noncurrent_time_before", "matches_suffix")
    ):
        return True
    prefixes = get("matches_prefix")
    return prefixes is not None and bool(prefixes.items)


def _azure(block: HclBlock) -> Iterator[Hit]:
    for rule in block.named("rule"):
        if rule.get("enabled").value is False:
            continue
        prefixes = " ".join(item.text or "" for one in rule.named("filters") for item in one.get("prefix_match").items)
        ours = _BRAINSTORE.search(prefixes) or (not prefixes and _BRAINSTORE.search(_names(block)))
        if not ours or _HARMLESS.search(prefixes):
            continue
        for action in (inner for one in rule.named("actions") for inner in one.named("base_blob")):
            for name, node in action.attributes.items():
                if name.startswith("delete_after_days") and node.place is not None:
                    yield _hit(node.place, name, node.text or "")


def _module(call: Call) -> Iterator[Hit]:
    listed = call.arguments.get("custom_gcs_brainstore_lifecycle_rules") or Node(value=None)
    for rule in listed.items:
        condition, action = rule.at("condition"), rule.at("action")
        if condition is None or (action is not None and (action.text_at("type") or "Delete") != "Delete"):
            continue
        age = condition.at("age")
        if age is None or age.place is None or not age.known or age.value is None:
            continue
        if not _old_versions(condition.map.get):
            yield _hit(age.place, "custom_gcs_brainstore_lifecycle_rules", age.text or "")
