"""Arguments of the Terraform modules that must fit each other, and what an upgrade of the module starts by itself.

Source: variables*.tf and main.tf of every version of the modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from btdiag.lint.house import Verdict
from btdiag.lint.rules.common import argument_hit
from btdiag.lint.rules.together import TOGETHER
from btdiag.lint.subjects import Call, Hit, Subjects
from btdiag.lint.tables import version_key


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every call."""
    for call in subjects.calls:
        yield from _organisation(call)
        yield from _together(call)
        yield from _readers(call)
        yield from _images(call)
        yield from _growth(call)


def _organisation(call: Call) -> Iterator[Hit]:
    name = call.arguments.get("braintrust_org_name")
    if name is None or call.module.cloud != "aws" or not isinstance(name.value, str):
        return
    text = name.value.strip()
    needs = (text == "*" and call.module.since("4.1.0")) or (text == "" and call.module.since("5.8.1"))
    primary = call.arguments.get("primary_org_name")
    if needs and (primary is None or (primary.known and not (primary.text or "").strip())):
        yield argument_hit(
            call, "retention.primary-organisation-is-set", "braintrust_org_name",
            "primary_org_name is required where braintrust_org_name is empty or *",
            expected="the organisation that manages service tokens", seen=text or "nothing",
            remedy="Set primary_org_name.",
        )  # fmt: skip


def _together(call: Call) -> Iterator[Hit]:
    """What the module's own checks refuse because of another argument."""
    for one in TOGETHER.get(call.module.cloud, ()):
        if call.module.between(one.since, one.until) and one.broken(call):
            at = next((name for name in (one.at, *one.beside) if name in call.arguments), one.at)
            yield replace(argument_hit(call, one.rule, at, one.says, remedy=one.remedy), key=one.at)


def _readers(call: Call) -> Iterator[Hit]:
    """What is set for readers and not for fast readers, where there are any."""
    count = call.value("brainstore_fast_reader_instance_count")
    if call.module.cloud != "aws" or not isinstance(count, (int, str)) or str(count) in ("0", ""):
        return
    for ours, theirs in (
        ("brainstore_extra_env_vars", "brainstore_extra_env_vars_fast_reader"),
        ("brainstore_instance_type", "brainstore_fast_reader_instance_type"),
    ):
        node = call.arguments.get(ours)
        variable = call.module.variables.get(theirs)
        if node is None or not node.known or theirs in call.arguments or variable is None:
            continue
        if node.map or (node.text and node.text != variable.default):
            yield argument_hit(
                call, "brainstore.fast-reader-mirrors-reader", ours,
                f"fast readers do not share {ours}: they run without it",
                verdict=Verdict.WARN, expected=theirs, remedy=f"Set {theirs} as well.",
            )  # fmt: skip


def _growth(call: Call) -> Iterator[Hit]:
    """Fast readers that an upgrade starts by itself: none by default up to v5.3.0, two since v5.5.0."""
    name = "brainstore_fast_reader_instance_count"
    crosses = call.before is not None and version_key(call.before) < version_key("5.5.0") <= version_key(
        call.module.version
    )
    if call.module.cloud == "aws" and crosses and name not in call.arguments:
        yield argument_hit(
            call, "brainstore.capacity-is-there", name,
            f"{call.before} to {call.module.version} starts two fast readers: {name} is 2 by default since v5.5.0",
            verdict=Verdict.WARN, remedy=f"Check quotas and cost, or set {name} = 0.",
        )  # fmt: skip


def _images(call: Call) -> Iterator[Hit]:
    footer, skipped = call.value("brainstore_wal_footer_version"), call.value("skip_pg_for_brainstore_objects")
    for name in ("brainstore_version_override", "braintrust_api_version_override", "api_ecs_version_override"):
        node = call.arguments.get(name)
        old = node is not None and re.fullmatch(r"v?[01]\.\d+(\.\d+)?", node.text or "") is not None
        if old and (footer in ("v2", "v3") or skipped):
            yield argument_hit(
                call, "config.images-fit-settings", name,
                "versions before 2.0 cannot read what the module's settings write (WAL footer, no PostgreSQL),"
                " and it cannot be undone",
                verdict=Verdict.WARN, expected="v2.0.0 or later",
                remedy='Pin v2.0.0 or later, or set both settings to "".',
            )  # fmt: skip
