"""What the modules themselves check of the values of their variables, by the version that does.

Source: the validation blocks in variables*.tf of every version of the modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from btdiag.lint.nodes import Node
from btdiag.lint.tables import Module

VALID = "terraform.values-are-valid"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NUMERIC = re.compile(r"-?\d{1,12}(\.\d{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a module checks of one variable, of each item where it is a list: from version to version."""

    holds: Callable[[str], bool]
    says: str
    since: str = "0.0.0"
    until: str | None = None
    rule: str = VALID

    def at(self, module: Module) -> bool:
        """Whether the module checks it at this version."""
        return module.between(self.since, self.until)

    def texts(self, node: Node) -> Iterator[str]:
        """The texts to hold against it: the value's own, or those of its items."""
        for one in node.items or (node,):
            if one.text is not None:
                yield one.text


def _from_to(least: float, most: float) -> Callable[[str], bool]:
    return lambda text: not _NUMERIC.fullmatch(text) or least <= float(text) <= most


def _above(least: float, most: float) -> Callable[[str], bool]:
    return lambda text: not _NUMERIC.fullmatch(text) or least < float(text) <= most


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda text: text in words


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.fullmatch(text) is not None


def _days(*days: int) -> Callable[[str], bool]:
    return lambda text: not _NUMERIC.fullmatch(text) or float(text) in days


_SHORT = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1827, 3653)
_LONG = (*_SHORT, 1096, 2192, 2557, 2922, 3288)
_ROLE = _matches(r"arn:aws:iam::(\*|[0-9]{12}):role/.+")
_TLS = ("TLSv1", "TLSv1_2016", "TLSv1.1_2016", "TLSv1.2_2018", "TLSv1.2_2019", "TLSv1.2_2021", "TLSv1.3_2025")


def _percent(since: str, until: str | None = None) -> tuple[Bound, ...]:
    return (Bound(holds=_above(0, 100), says="more than 0, at most 100", since=since, until=until),)


def _kept(days: tuple[int, ...], since: str, until: str | None = None) -> tuple[Bound, ...]:
    says = "a number of days that CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, ..."
    return (Bound(holds=_days(*days), says=says, since=since, until=until),)


def _version(since: str, until: str | None = None) -> tuple[Bound, ...]:
    return (Bound(holds=bool, says="a version, or null for the module's own", since=since, until=until),)


def _count(since: str, until: str | None = None) -> tuple[Bound, ...]:
    return (Bound(holds=_from_to(1, 1e9), says="at least 1", since=since, until=until),)


def _processor(since: str, until: str | None = None) -> tuple[Bound, ...]:
    return (Bound(holds=_one_of("ARM64", "X86_64"), says="ARM64 or X86_64", since=since, until=until),)


_ORGANISATIONS = (
    Bound(holds=_matches(_UUID), says="UUIDs of organisations", since="6.0.0", rule="audit.lists-are-valid"),
)
_AWS: Mapping[str, tuple[Bound, ...]] = {
    "deployment_name": (
        Bound(holds=_matches("[a-z-]+"), says="lower case letters and hyphens", until="1.1.0"),
        Bound(holds=_matches("[a-z0-9-]{1,18}"), says="lower case letters, digits and hyphens, at most 18"),
    ),
    "cloudfront_origin_read_timeout": (Bound(holds=_from_to(1, 180), says="1 to 180 s", since="5.3.0"),),
    "cloudfront_minimum_protocol_version": (
        Bound(holds=_one_of(*_TLS), says=f"one of {', '.join(_TLS)}", since="6.5.2"),
    ),
    "ai_gateway_alb_idle_timeout": (Bound(holds=_from_to(1, 4000), says="1 to 4000 s", since="5.6.0"),),
    "ai_gateway_alb_client_keep_alive": (Bound(holds=_from_to(60, 604800), says="60 to 604800 s", since="5.6.0"),),
    "ai_gateway_alb_deregistration_delay": (Bound(holds=_from_to(0, 3600), says="0 to 3600 s", since="5.6.0"),),
    "billing_telemetry_log_level": (
        Bound(
            holds=_one_of("", "info", "warn", "error", "debug"), says='"", info, warn, error or debug', since="2.2.1"
        ),
    ),
    "unsafe_url_request_mode": (
        Bound(
            holds=lambda text: text.strip() in ("", "off", "proxy", "warn", "reject"),
            says='"", off, proxy, warn or reject',
            since="5.8.1",
        ),
    ),
    "allowed_org_ids": (
        Bound(holds=_matches(rf"(?:{_UUID}(?:,{_UUID})*)?"), says="UUIDs with commas, without blanks", since="5.8.1"),
    ),
    "brainstore_wal_footer_version": (
        Bound(holds=_one_of("", "v1", "v2", "v3"), says='"", v1, v2 or v3', since="4.4.0"),
    ),
    "skip_pg_for_brainstore_objects": (
        Bound(
            holds=lambda text: text in ("", "all") or text.startswith(("include:", "exclude:")),
            says='"", all, include:... or exclude:...',
            since="4.5.0",
        ),
    ),
    "container_insights": (
        Bound(holds=_one_of("enabled", "disabled", "enhanced"), says="enabled, disabled or enhanced", since="4.3.0"),
    ),
    "brainstore_default": (
        Bound(holds=_one_of("true", "false", "forced"), says="true, false or forced", since="1.2.6", until="2.0.0"),
        Bound(holds=_one_of("true", "false", "force"), says="true, false or force", since="2.1.0"),
    ),
    "api_handler_memory_limit": (Bound(holds=_above(0, 10240), says="1 to 10240 MB", since="4.4.0"),),
    "ai_proxy_memory_limit": (Bound(holds=_above(0, 10240), says="1 to 10240 MB", since="4.4.0"),),
    "gateway_target_cpu_utilization": _percent("4.3.0", "5.3.0"),
    "gateway_target_memory_utilization": _percent("4.3.0", "5.3.0"),
    "ai_gateway_target_cpu_utilization": _percent("5.5.0"),
    "ai_gateway_target_memory_utilization": _percent("5.5.0"),
    "api_ecs_cpu_target_value": _percent("5.3.0", "5.10.1"),
    "api_ecs_memory_target_value": _percent("5.3.0", "5.10.1"),
    "gateway_log_retention_days": _kept(_SHORT, "4.3.0", "5.3.0"),
    "ai_gateway_log_retention_days": _kept(_SHORT, "5.5.0"),
    "api_ecs_log_retention_days": _kept(_LONG, "5.3.0", "5.10.1"),
    "braintrust_api_log_retention_days": _kept(_LONG, "6.0.0"),
    "loop_runtime_log_retention_days": _kept(_LONG, "6.4.0"),
    "gateway_cpu_architecture": _processor("4.3.0", "5.3.0"),
    "ai_gateway_cpu_architecture": _processor("5.5.0"),
    "gateway_version_override": _version("4.3.0", "5.3.0"),
    "ai_gateway_version_override": _version("5.5.0"),
    "api_ecs_version_override": _version("5.3.0", "5.10.1"),
    "braintrust_api_version_override": _version("6.0.0"),
    "api_ecs_min_count": _count("5.3.0", "5.10.1"),
    "braintrust_api_min_count": _count("6.0.0"),
    "braintrust_api_ingest_min_count": _count("6.0.0"),
    "braintrust_api_background_min_count": _count("6.0.0"),
    "btql_audit_logs_strict_org_ids": _ORGANISATIONS,
    "btql_audit_logs_best_effort_org_ids": _ORGANISATIONS,
    "s3_export_assume_role_arns": (Bound(holds=_ROLE, says="ARNs of roles", since="6.4.0"),),
    "ai_gateway_bedrock_assume_role_arns": (Bound(holds=_ROLE, says="ARNs of roles", since="6.4.0"),),
}
BOUNDS: Mapping[str, Mapping[str, tuple[Bound, ...]]] = {
    "aws": _AWS,
    "azure": {
        "deployment_name": (
            Bound(holds=_matches("[a-z0-9-]{1,18}"), says="lower case letters, digits and hyphens, at most 18"),
        ),
        "existing_resource_group_name": (
            Bound(holds=lambda text: "/" not in text, says="a name, not an id", since="1.1.0"),
        ),
    },
    "google": {
        "deployment_name": (
            Bound(
                holds=_matches("[a-z]([a-z0-9_-]{0,61}[a-z0-9])?"),
                says="a letter, then lower case letters, digits, - and _, at most 63",
            ),
        ),
        "gcs_soft_delete_retention_days": (
            Bound(
                holds=lambda text: not _NUMERIC.fullmatch(text) or float(text) == 0 or 7 <= float(text) <= 90,
                says="0, or 7 to 90 days",
                since="1.2.0",
            ),
        ),
    },
}
