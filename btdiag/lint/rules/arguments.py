"""Arguments of the Terraform modules: what Terraform or the module itself refuses, and what is lost without a word.

Sources: variables*.tf of every version of the modules; Terraform's rules of conversion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node
from btdiag.lint.rules.bounds import BOUNDS
from btdiag.lint.rules.common import UUID, argument_hit
from btdiag.lint.rules.variables import origin_hits
from btdiag.lint.subjects import Call, Hit, Subjects
from btdiag.lint.tables import Variable

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
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d+)?([eE][-+]?\d+)?\s*")


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every call, the lines of tfvars files, and arguments that stand twice."""
    for call in subjects.calls:
        for name, node in call.arguments.items():
            yield from _argument(call, name, node)
        if not call.partial:
            yield from _required(call)
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


def _argument(call: Call, name: str, node: Node) -> Iterator[Hit]:
    variable = call.module.variables.get(name)
    if variable is None:
        yield _unsupported(call, name)
    elif node.known and node.value is not None:
        problem = mismatch(node, variable.type)
        if problem:
            yield argument_hit(
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
    return argument_hit(
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
    bound = BOUNDS[call.module.cloud].get(name)
    if bound is not None and call.module.since(bound.since) and node.text is not None and not bound.holds(node.text):
        yield argument_hit(
            call, "terraform.values-are-valid", name,
            f'{name} is "{node.text[:40]}", the module takes {bound.says}',
            expected=bound.says, seen=node.text[:40], remedy=f"Give {bound.says}.",
        )  # fmt: skip
    if name == "service_extra_env_vars":
        yield from _services(call, node)
    licensed = name in ("braintrust_api_extra_env_vars", "ai_gateway_extra_env_vars") and call.module.since("6.4.0")
    if licensed and node.at("BRAINSTORE_LICENSE_KEY") is not None:
        yield argument_hit(
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
        yield argument_hit(call, "audit.lists-are-valid", name, "an entry is no UUID: the module refuses it",
                   expected="UUIDs of organisations", remedy="Give the ids of organisations.")  # fmt: skip


def _services(call: Call, node: Node) -> Iterator[Hit]:
    missing = [name for name, since in _SERVICES if call.module.since(since) and node.at(name) is None]
    if missing and node.map:
        yield argument_hit(
            call, "terraform.types-fit", "service_extra_env_vars",
            f"service_extra_env_vars lacks {', '.join(missing)}: an object must have all its attributes",
            expected="all services, {} where there is nothing to set",
            remedy="; ".join(f"Add {name} = {{}}" for name in missing) + ".",
        )  # fmt: skip


def _required(call: Call) -> Iterator[Hit]:
    for name, variable in call.module.variables.items():
        if variable.default == "<required>" and name not in call.arguments:
            yield argument_hit(
                call, "terraform.required-arguments-are-set", name,
                f"the {call.module.cloud} module {call.module.version} requires {name}",
                remedy=f"Set {name}.",
            )  # fmt: skip
