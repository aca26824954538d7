"""Arguments of the Terraform modules: what Terraform or the module itself refuses, and what is lost without a word.

Sources: variables*.tf of every version of the modules; Terraform's rules of conversion.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node
from btdiag.lint.rules.bounds import BOUNDS
from btdiag.lint.rules.common import argument_hit
from btdiag.lint.rules.conversion import mismatch
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
_LICENCE = "BRAINSTORE_LICENSE_KEY"
_UNLICENSED = (
    ("gateway_extra_env_vars", "4.3.0", "5.3.0"),
    ("ai_gateway_extra_env_vars", "5.5.0", None),
    ("braintrust_api_extra_env_vars", "6.4.0", None),
)
_SERVICES = (
    ("APIHandler", "1.2.6"), ("AIProxy", "1.2.6"), ("CatchupETL", "1.2.6"), ("BillingCron", "2.2.1"),
    ("MigrateDatabaseFunction", "1.2.6"), ("QuarantineWarmupFunction", "1.2.6"), ("AutomationCron", "2.3.0"),
)  # fmt: skip


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


def _checked(call: Call, variable: Variable, node: Node) -> Iterator[Hit]:
    name = variable.name
    bound = next((one for one in BOUNDS[call.module.cloud].get(name, ()) if one.at(call.module)), None)
    wrong = next((one for one in bound.texts(node) if not bound.holds(one)), None) if bound is not None else None
    if bound is not None and wrong is not None:
        yield argument_hit(
            call, bound.rule, name,
            f'{name} is "{wrong[:40]}", the module takes {bound.says}',
            expected=bound.says, seen=wrong[:40], remedy=f"Give {bound.says}.",
        )  # fmt: skip
    if name == "service_extra_env_vars":
        yield from _services(call, node)
    if node.at(_LICENCE) is not None and any(name == one and call.module.between(*span) for one, *span in _UNLICENSED):
        yield argument_hit(
            call, "terraform.values-are-valid", name,
            f"{name} may not hold {_LICENCE}: the module sets it itself, and refuses it here",
            remedy="Remove it from the map.",
        )  # fmt: skip
    if name == "whitelisted_origins":
        for item in node.items:
            if item.text is not None and item.place is not None:
                yield from origin_hits(item.text, item.place, name)


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
