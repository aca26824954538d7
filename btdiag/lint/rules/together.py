"""Arguments that the modules accept only with others: their own checks across variables, by the version that does.

Source: the validation blocks in variables*.tf of every version of the modules that name two variables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from btdiag.lint.subjects import Call

SWITCHES = "terraform.switches-go-together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One such check. `at` is the argument to point at, `beside` others where that one is not given."""

    at: str
    broken: Callable[[Call], bool]
    says: str
    remedy: str
    since: str = "0.0.0"
    until: str | None = None
    beside: tuple[str, ...] = ()
    rule: str = SWITCHES


def _on(call: Call, name: str) -> bool:
    return call.on(name)


def _off(call: Call, name: str) -> bool:
    return call.value(name) in (False, "false")


def _unset(call: Call, name: str) -> bool:
    """Whether an argument is null for sure; what only Terraform knows is not."""
    node = call.arguments.get(name)
    return call.value(name) is None if node is None else node.known and node.value is None


def _needs(switch: str, other: str, since: str, until: str | None = None) -> Together:
    return Together(
        at=switch,
        broken=lambda call: _on(call, switch) and _off(call, other),
        says=f"{switch} needs {other}",
        remedy=f"Set {other} = true.",
        since=since,
        until=until,
    )


def _excludes(switch: str, other: str, since: str, until: str | None = None) -> Together:
    return Together(
        at=switch,
        broken=lambda call: _on(call, switch) and _on(call, other),
        says=f"{switch} and {other} exclude each other",
        remedy="Keep one of them.",
        since=since,
        until=until,
        beside=(other,),
    )


def _existing(switch: str, names: tuple[str, ...], since: str) -> Iterator[Together]:
    for name in names:
        yield Together(
            at=name,
            broken=lambda call, name=name: _off(call, switch) and _unset(call, name),  # type: ignore[misc]
            says=f"{name} is required where {switch} is false",
            remedy=f"Set {name}.",
            since=since,
            beside=(switch,),
        )


def _quarantine(number: int) -> Together:
    name = f"existing_quarantine_private_subnet_{number}_id"
    vpc = "existing_quarantine_vpc_id"
    return Together(
        at=name,
        broken=lambda call: vpc in call.arguments and not _unset(call, vpc) and _unset(call, name),
        says=f"{name} is required with {vpc}",
        remedy=f"Set {name}.",
        since="4.0.5",
        beside=(vpc,),
    )


def _number(call: Call, name: str) -> float | None:
    value = call.value(name)
    try:
        return None if isinstance(value, bool) or not isinstance(value, (int, float, str)) else float(value)
    except ValueError:
        return None


def _ordered(prefix: str, unit: str, since: str, until: str | None = None) -> Together:
    least, most = f"{prefix}_min_{unit}", f"{prefix}_max_{unit}"

    def broken(call: Call) -> bool:
        low, high = _number(call, least), _number(call, most)
        return low is not None and high is not None and high < low

    return Together(
        at=most,
        broken=broken,
        says=f"{most} is below {least}",
        remedy=f"Raise {most}, or lower {least}.",
        since=since,
        until=until,
        beside=(least,),
    )


def _address(switch: str, since: str, until: str | None = None) -> Together:
    return Together(
        at=switch,
        broken=lambda call: (
            _on(call, "use_deployment_mode_external_eks") and _on(call, switch) and _unset(call, "braintrust_api_url")
        ),
        says="the gateway with an EKS of your own needs braintrust_api_url",
        remedy="Set braintrust_api_url.",
        since=since,
        until=until,
    )


def _pair(call: Call) -> bool:
    names = ("braintrust_api_alb_custom_domain", "braintrust_api_alb_certificate_arn")
    return _unset(call, names[0]) != _unset(call, names[1])


def _both_lists(call: Call) -> bool:
    lists = [call.arguments.get(f"btql_audit_logs_{kind}_org_ids") for kind in ("strict", "best_effort")]
    return all(node is not None and bool(node.items) for node in lists)


def _twice(name: str) -> Together:
    def broken(call: Call) -> bool:
        node = call.arguments.get(name)
        texts = [item.text for item in node.items if item.text is not None] if node is not None else []
        return len(texts) != len(set(texts))

    return Together(
        at=name,
        broken=broken,
        says="an organisation stands twice in the list: the module refuses it",
        remedy="Name each organisation once.",
        since="6.0.0",
        rule="audit.lists-are-valid",
    )


def _open_prefix(call: Call) -> bool:
    node = call.arguments.get("s3_server_access_logging")
    prefix = node.text_at("prefix") if node is not None else ""
    return bool(prefix) and not prefix.endswith("/")


def _inside(name: str, key: str, pattern: str, says: str) -> Together:
    """A member of an object that must match a pattern."""

    def broken(call: Call) -> bool:
        node = call.arguments.get(name)
        text = node.text_at(key) if node is not None else ""
        return bool(text) and re.fullmatch(pattern, text) is None

    return Together(
        at=name,
        broken=broken,
        says=f"{name}.{key} is not {says}",
        remedy=f"Give {says}.",
        rule="terraform.values-are-valid",
    )


def _odd_labels(call: Call) -> bool:
    node = call.arguments.get("custom_labels")
    return node is not None and any(
        not re.fullmatch("[a-z][a-z0-9_-]{0,62}", key)
        or (one.text is not None and not re.fullmatch("[a-z0-9_-]{0,63}", one.text))
        for key, one in node.map.items()
    )


_VPC = ("vpc_id", *(f"private_subnet_{number}_id" for number in (1, 2, 3)), "public_subnet_1_id")
TOGETHER: Mapping[str, tuple[Together, ...]] = {
    "aws": (
        _needs("enable_ai_gateway", "create_ai_gateway", "5.10.0"),
        _excludes("use_private_ai_gateway_origin", "use_global_ai_gateway_origin", "6.1.0"),
        _needs("use_private_ai_gateway_origin", "create_ai_gateway", "6.1.0"),
        _excludes("enable_ecs_api", "use_deployment_mode_external_eks", "6.0.0"),
        _excludes("create_ecs_api", "use_deployment_mode_external_eks", "5.3.0", "5.10.1"),
        _needs("create_ecs_api", "enable_brainstore", "5.3.0", "5.10.1"),
        _needs("enable_ecs_api", "create_ecs_api", "5.3.0", "5.10.1"),
        _address("enable_llm_gateway", "4.3.0", "5.3.0"),
        _address("enable_ai_gateway", "5.5.0", "5.9.0"),
        _address("create_ai_gateway", "5.10.0"),
        _needs("enable_loop_runtime", "enable_brainstore", "6.4.0"),
        _excludes("enable_loop_runtime", "use_deployment_mode_external_eks", "6.4.0"),
        _ordered("gateway", "capacity", "4.3.0", "5.3.0"),
        _ordered("ai_gateway", "capacity", "5.5.0"),
        _ordered("api_ecs", "count", "5.3.0", "5.10.1"),
        _ordered("braintrust_api", "count", "6.0.0"),
        _ordered("braintrust_api_ingest", "count", "6.0.0"),
        _ordered("braintrust_api_background", "count", "6.0.0"),
        *_existing("create_vpc", tuple(f"existing_{name}" for name in _VPC), "2.3.10"),
        *map(_quarantine, (1, 2, 3)),
        Together(
            at="braintrust_api_alb_custom_domain",
            broken=_pair,
            says="braintrust_api_alb_custom_domain and braintrust_api_alb_certificate_arn go together",
            remedy="Set both, or neither.",
            since="6.0.0",
            beside=("braintrust_api_alb_certificate_arn",),
        ),
        Together(
            at="cloudfront_minimum_protocol_version",
            broken=lambda call: (
                "cloudfront_minimum_protocol_version" in call.arguments
                and not _unset(call, "cloudfront_minimum_protocol_version")
                and _unset(call, "custom_certificate_arn")
            ),
            says="cloudfront_minimum_protocol_version needs custom_certificate_arn",
            remedy="Set custom_certificate_arn, or leave the minimum out.",
            since="6.5.2",
        ),
        Together(
            at="s3_server_access_logging",
            broken=_open_prefix,
            says="the prefix of s3_server_access_logging must end with /",
            remedy="End the prefix with /.",
            since="6.5.2",
        ),
        Together(
            at="btql_audit_logs_best_effort_org_ids",
            broken=_both_lists,
            says="the two lists of audit logs exclude each other: the module refuses them",
            remedy="Keep one list.",
            since="6.0.0",
            rule="audit.lists-are-valid",
        ),
        _twice("btql_audit_logs_strict_org_ids"),
        _twice("btql_audit_logs_best_effort_org_ids"),
    ),
    "google": (
        *_existing("create_vpc", ("existing_network_self_link", "existing_subnet_self_link"), "1.0.0"),
        _inside("postgres_maintenance_window", "day", "[0-7]", "0 to 7"),
        _inside("postgres_maintenance_window", "hour", "1?[0-9]|2[0-3]", "0 to 23"),
        _inside("postgres_maintenance_window", "update_track", "stable|canary|week5", "stable, canary or week5"),
        _inside("gke_maintenance_window", "day", "[1-7]", "1 to 7"),
        _inside("gke_maintenance_window", "start_time", "(?:[01]?[0-9]|2[0-3]):[0-5][0-9]", "a time such as 03:00"),
        Together(
            at="custom_labels",
            broken=_odd_labels,
            says="custom_labels has a name or a value that Google does not take",
            remedy="Use lower case letters, digits, - and _; a name begins with a letter.",
            since="1.5.2",
            rule="terraform.values-are-valid",
        ),
    ),
}
