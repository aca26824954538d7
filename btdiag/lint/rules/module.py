"""Arguments of the Terraform modules: what Terraform or the module itself refuses, and what is lost without a word.

Sources: variables*.tf of every version of the modules; Terraform's rules of conversion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node
from btdiag.lint.rules.common import UUID
from btdiag.lint.rules.variables import origin_hits
from btdiag.lint.subjects import Call, Hit, Subjects
from btdiag.lint.tables import Variable, number

_RENAMED = {
    "enable_llm_gateway": "enable_ai_gateway",
    "use_global_gateway_origin": "use_global_ai_gateway_origin",
    "api_ecs_extra_env_vars": "braintrust_api_extra_env_vars",
    "api_ecs_version_override": "braintrust_api_version_override",
    "api_ecs_log_retention_days": "braintrust_api_log_retention_days",
    "api_ecs_min_count": "braintrust_api_min_count",
    "api_ecs_max_count": "braintrust_api_max_count",
    "api_ecs_cpu": "braintrust_api_cpu",
    "api_ecs_memory": "braintrust_api_memory",
}
_SERVICES = (
    ("APIHandler", "1.2.6"), ("AIProxy", "1.2.6"), ("CatchupETL", "1.2.6"), ("BillingCron", "2.2.1"),
    ("MigrateDatabaseFunction", "1.2.6"), ("QuarantineWarmupFunction", "1.2.6"), ("AutomationCron", "2.3.0"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a module checks of one variable; `since` the version that does."""

    holds: Callable[[str], bool]
    says: str
    since: str = "0.0.0"


def _from_to(least: float, most: float) -> Callable[[str], bool]:
    return lambda text: not re.fullmatch(r"-?\d{1,12}(\.\d{1,6})?", text) or least <= float(text) <= most


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda text: text.strip() in words


_AWS = {
    "cloudfront_origin_read_timeout": Bound(holds=_from_to(1, 180), says="1 to 180 s", since="5.3.0"),
    "ai_gateway_alb_idle_timeout": Bound(holds=_from_to(1, 4000), says="1 to 4000 s", since="5.6.0"),
    "ai_gateway_alb_client_keep_alive": Bound(holds=_from_to(60, 604800), says="60 to 604800 s", since="5.6.0"),
    "ai_gateway_alb_deregistration_delay": Bound(holds=_from_to(0, 3600), says="0 to 3600 s", since="5.6.0"),
    "billing_telemetry_log_level": Bound(
        holds=_one_of("", "info", "warn", "error", "debug"), says='"", info, warn, error or debug', since="2.2.1"
    ),
    "unsafe_url_request_mode": Bound(
        holds=_one_of("", "off", "proxy", "warn", "reject"), says='"", off, proxy, warn or reject', since="5.8.1"
    ),
    "brainstore_wal_footer_version": Bound(
        holds=lambda text: text in ("", "v1", "v2", "v3"), says='"", v1, v2 or v3', since="4.4.0"
    ),
    "skip_pg_for_brainstore_objects": Bound(
        holds=lambda text: text in ("", "all") or text.startswith(("include:", "exclude:")),
        says='"", all, include:... or exclude:...',
        since="4.5.0",
    ),
    "container_insights": Bound(
        holds=_one_of("enabled", "disabled", "enhanced"), says="enabled, disabled or enhanced", since="4.3.0"
    ),
    "brainstore_default": Bound(holds=_one_of("true", "false", "force"), says="true, false or force", since="1.2.6"),
}
_NAME = Bound(
    holds=lambda text: re.fullmatch(r"[a-z0-9-]{1,18}", text) is not None,
    says="lower case letters, digits and hyphens, at most 18",
)
_BOUNDS: Mapping[str, Mapping[str, Bound]] = {
    "aws": {**_AWS, "deployment_name": _NAME},
    "azure": {},
    "google": {
        "gcs_soft_delete_retention_days": Bound(
            holds=lambda text: not text.isdigit() or int(text) == 0 or 7 <= int(text) <= 90,
            says="0, or 7 to 90 days",
            since="1.2.0",
        )
    },
}
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d+)?([eE][-+]?\d+)?\s*")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every call, the lines of tfvars files, and arguments that stand twice."""
    for call in subjects.calls:
        for name, node in call.arguments.items():
            yield from _argument(call, name, node)
        if not call.partial:
            yield from _required(call)
        yield from _organisation(call)
        yield from _together(call)
        yield from _readers(call)
        yield from _images(call)
        yield from _growth(call)
    for name, place in subjects.undeclared:
        yield Hit(
            rule="terraform.tfvars-are-declared",
            verdict=Verdict.WARN,
            place=place,
            key=name,
            summary=f"no variable {name[:60]} is declared beside this file: Terraform warns, and the setting is lost",
            expected=f'variable "{name[:60]}" {{}}, handed to the module',
            remedy="Declare the variable and hand it to the module, or remove the line.",
        )
    for double in subjects.repeated_arguments:
        yield Hit(
            rule="terraform.arguments-stand-once",
            verdict=Verdict.FAIL,
            place=double.second,
            key=double.path[-1],
            summary=f"{double.path[-1]} stands twice (line {double.first.line}): Terraform refuses the file",
            remedy="Keep one of them.",
        )


def _hit(call: Call, rule: str, name: str, summary: str, **more: object) -> Hit:
    node = call.arguments.get(name)
    place = node.place if node is not None and node.place is not None else call.place
    verdict = more.pop("verdict", Verdict.FAIL)
    assert isinstance(verdict, Verdict)
    texts = {key: str(value) for key, value in more.items()}
    return Hit(rule=rule, verdict=verdict, place=place, key=name, summary=summary, **texts)


def _argument(call: Call, name: str, node: Node) -> Iterator[Hit]:
    variable = call.module.variables.get(name)
    if variable is None:
        yield _unsupported(call, name)
    elif node.known and node.value is not None:
        problem = mismatch(node, variable.type)
        if problem:
            yield _hit(
                call, "terraform.types-fit", name,
                f"{name} is {problem}: Terraform refuses it",
                expected=variable.type[:120], remedy=f"Give a {variable.type[:60]}.",
            )  # fmt: skip
        else:
            yield from _checked(call, variable, node)


def _unsupported(call: Call, name: str) -> Hit:
    module = call.module
    life = module.life(name)
    gateway = f"ai_{name}" if name.startswith("gateway_") else name
    meant = next((one for one in (_RENAMED.get(name, ""), gateway) if one in module.variables), None)
    if meant is None:
        meant = next(iter(get_close_matches(name, list(module.variables), 1, 0.8)), None)
    if life and module.before(life[0]):
        why = f"it came with {life[0]}"
    elif life and life[1]:
        why = f"it went after {life[1]}"
    else:
        why = "no version has it"
    return _hit(
        call, "terraform.arguments-are-known", name,
        f"the {module.cloud} module {module.version} has no variable {name[:60]} ({why}): Terraform refuses it",
        expected=meant or "", remedy=f"Write {meant}." if meant else "Remove the argument, or change the version.",
    )  # fmt: skip


def mismatch(node: Node, kind: str) -> str:
    """Why a value does not convert to a type ("" if it does, or if that cannot be told). Terraform turns numbers and
    booleans into text, and text into them where it reads like one."""
    value = node.value
    if kind == "number":
        return "" if _is_number(value) else "no number"
    if kind == "bool":
        return "" if isinstance(value, bool) or value in ("true", "false") else "no boolean"
    if kind == "string":
        return "a list or a map, not a text" if isinstance(value, (tuple, Mapping)) else ""
    if kind.startswith(("list", "set")):
        if not isinstance(value, tuple):
            return "no list"
        inner = kind[kind.index("(") + 1 : -1] if "(" in kind else "any"
        wrong = [item for item in value if item.known and item.value is not None and mismatch(item, inner)]
        return f"a list with an item that is {mismatch(wrong[0], inner)}" if wrong else ""
    if kind.startswith(("map", "object")):
        if not isinstance(value, Mapping):
            return "no map"
        inner = kind[4:-1] if kind.startswith("map(") else "any"
        bad = [one for one in value.values() if one.known and one.value is not None and mismatch(one, inner)]
        return f"a map with a value that is {mismatch(bad[0], inner)}" if bad else ""
    return ""


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value) is not None)


def _checked(call: Call, variable: Variable, node: Node) -> Iterator[Hit]:
    name = variable.name
    bound = _BOUNDS[call.module.cloud].get(name)
    if bound is not None and call.module.since(bound.since) and node.text is not None and not bound.holds(node.text):
        yield _hit(
            call, "terraform.values-are-valid", name,
            f'{name} is "{node.text[:40]}", the module takes {bound.says}',
            expected=bound.says, seen=node.text[:40], remedy=f"Give {bound.says}.",
        )  # fmt: skip
    if name == "service_extra_env_vars":
        yield from _services(call, node)
    licensed = name in ("braintrust_api_extra_env_vars", "ai_gateway_extra_env_vars") and call.module.since("6.4.0")
    if licensed and node.at("BRAINSTORE_LICENSE_KEY") is not None:
        yield _hit(
            call, "terraform.values-are-valid", name,
            f"{name} may not hold BRAINSTORE_LICENSE_KEY: the module sets it itself since v6.4.0",
            remedy="Remove it from the map.",
        )  # fmt: skip
    if name == "whitelisted_origins":
        for item in node.items:
            if item.text is not None and item.place is not None:
                yield from origin_hits(item.text, item.place, name)
    odd = [item for item in node.items if item.text is not None and not UUID.fullmatch(item.text)]
    if name.startswith("btql_audit_logs_") and odd:
        yield _hit(call, "audit.lists-are-valid", name, "an entry is no UUID: the module refuses it",
                   expected="UUIDs of organisations", remedy="Give the ids of organisations.")  # fmt: skip


def _services(call: Call, node: Node) -> Iterator[Hit]:
    missing = [name for name, since in _SERVICES if call.module.since(since) and node.at(name) is None]
    if missing and node.map:
        yield _hit(
            call, "terraform.types-fit", "service_extra_env_vars",
            f"service_extra_env_vars lacks {', '.join(missing)}: an object must have all its attributes",
            expected="all services, {} where there is nothing to set",
            remedy="; ".join(f"Add {name} = {{}}" for name in missing) + ".",
        )  # fmt: skip


def _required(call: Call) -> Iterator[Hit]:
    for name, variable in call.module.variables.items():
        if variable.default == "<required>" and name not in call.arguments:
            yield _hit(
                call, "terraform.required-arguments-are-set", name,
                f"the {call.module.cloud} module {call.module.version} requires {name}",
                remedy=f"Set {name}.",
            )  # fmt: skip


def _organisation(call: Call) -> Iterator[Hit]:
    name = call.arguments.get("braintrust_org_name")
    if name is None or call.module.cloud != "aws" or not isinstance(name.value, str):
        return
    text = name.value.strip()
    needs = (text == "*" and call.module.since("4.1.0")) or (text == "" and call.module.since("5.8.1"))
    primary = call.arguments.get("primary_org_name")
    if needs and (primary is None or (primary.known and not (primary.text or "").strip())):
        yield _hit(
            call, "retention.primary-organisation-is-set", "braintrust_org_name",
            "primary_org_name is required where braintrust_org_name is empty or *",
            expected="the organisation that manages service tokens", seen=text or "nothing",
            remedy="Set primary_org_name.",
        )  # fmt: skip


def _together(call: Call) -> Iterator[Hit]:
    module, on = call.module, call.on
    if module.cloud != "aws":
        return
    rule = "terraform.switches-go-together"
    if module.since("5.10.0") and on("enable_ai_gateway") and call.value("create_ai_gateway") in (False, "false"):
        yield _hit(call, rule, "enable_ai_gateway", "enable_ai_gateway needs create_ai_gateway since v5.10.0",
                   remedy="Set create_ai_gateway = true.")  # fmt: skip
    if on("use_private_ai_gateway_origin"):
        if on("use_global_ai_gateway_origin"):
            yield _hit(call, rule, "use_private_ai_gateway_origin",
                       "use_private_ai_gateway_origin and use_global_ai_gateway_origin exclude each other",
                       remedy="Keep one of them.")  # fmt: skip
        elif call.value("create_ai_gateway") in (False, "false"):
            yield _hit(call, rule, "use_private_ai_gateway_origin",
                       "use_private_ai_gateway_origin needs create_ai_gateway",
                       remedy="Set create_ai_gateway = true.")  # fmt: skip
    if on("enable_ecs_api") and on("use_deployment_mode_external_eks"):
        yield _hit(call, rule, "enable_ecs_api", "enable_ecs_api excludes use_deployment_mode_external_eks",
                   remedy="Keep one of them.")  # fmt: skip
    if (
        on("enable_ecs_api")
        and "create_ecs_api" in module.variables
        and call.value("create_ecs_api") in (False, "false")
    ):
        yield _hit(call, rule, "enable_ecs_api", f"enable_ecs_api needs create_ecs_api in {module.version}",
                   remedy="Set create_ecs_api = true.")  # fmt: skip
    own = on("use_deployment_mode_external_eks") and on("create_ai_gateway")
    if own and "braintrust_api_url" in module.variables and "braintrust_api_url" not in call.arguments:
        yield _hit(call, rule, "create_ai_gateway", "the gateway with an EKS of your own needs braintrust_api_url",
                       remedy="Set braintrust_api_url.")  # fmt: skip
    lists = [call.arguments.get(f"btql_audit_logs_{kind}_org_ids") for kind in ("strict", "best_effort")]
    if all(node is not None and node.items for node in lists):
        yield _hit(call, "audit.lists-are-valid", "btql_audit_logs_best_effort_org_ids",
                   "the two lists of audit logs exclude each other: the module refuses them",
                   remedy="Keep one list.")  # fmt: skip


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
            yield _hit(
                call, "brainstore.fast-reader-mirrors-reader", ours,
                f"fast readers do not share {ours}: they run without it",
                verdict=Verdict.WARN, expected=theirs, remedy=f"Set {theirs} as well.",
            )  # fmt: skip


def _growth(call: Call) -> Iterator[Hit]:
    """Fast readers that an upgrade starts by itself: none by default up to v5.3.0, two since v5.5.0."""
    name = "brainstore_fast_reader_instance_count"
    crosses = call.before is not None and number(call.before) < number("5.5.0") <= number(call.module.version)
    if call.module.cloud == "aws" and crosses and name not in call.arguments:
        yield _hit(
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
            yield _hit(
                call, "config.images-fit-settings", name,
                "versions before 2.0 cannot read what the module's settings write (WAL footer, no PostgreSQL),"
                " and it cannot be undone",
                verdict=Verdict.WARN, expected="v2.0.0 or later",
                remedy='Pin v2.0.0 or later, or set both settings to "".',
            )  # fmt: skip
