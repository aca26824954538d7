"""What of a target and its measurements a report may show, and which values must never be seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from btdiag.core.credential import is_secret_name
from btdiag.core.evidence import to_json
from btdiag.core.finding import Json
from btdiag.core.report import MeasurementRecord
from btdiag.core.target import Secret, Target

_WORDS = re.compile(r"[a-z]{1,12}(?:[ /.,;:=_*+-]{1,3}[a-z]{1,12})*")
"""A header's value of plain words: "application/json", "production-cluster"."""


def shown_target(target: Target) -> dict[str, Json]:
    """The fields of a target as a report shows them: what is set, and of secrets only that they are."""
    shown: dict[str, Json] = {"url": target.url, "host": target.host, "port": target.port}
    optional: dict[str, Any] = {
        "lab": target.lab_scenario,
        "proxy": target.proxy.url if target.proxy else None,
        "resolve": list(target.resolve),
        "backend": target.backend,
        "brainstore": [f"{role}={url}" if role else url for role, url in target.brainstore_roles],
        "gateway": target.gateway,
        "bucket": target.bucket,
        "lb_idle_timeout": target.lb_idle_timeout,
        "backend_keepalive": target.backend_keepalive,
        "logs": [str(path) for path in target.logs],
        "config": [str(setting) for setting in target.settings],
        "app_url": target.app_url,
        "origins": list(target.origins),
        "role": target.role,
        "ca": target.ca_file,
        "client_cert": target.client_cert,
        "api_key": f"from {target.api_key_source}" if target.api_key else None,
        "headers": [name for name, _ in target.headers],
    }
    return shown | {key: to_json(value) for key, value in optional.items() if value not in (None, [])}


def secrets_of(target: Target) -> list[Secret]:
    """Every value of a target that must not be shown."""
    found = [
        Secret(value.reveal(), ordinary=_WORDS.fullmatch(value.reveal()) is not None and not is_secret_name(name))
        for name, value in target.headers
    ]
    if target.api_key:
        found.append(target.api_key)
    if target.proxy and target.proxy.credentials:
        user, _, password = target.proxy.credentials.reveal().partition(":")
        found += [target.proxy.credentials, Secret(password or user)]
    return [secret for secret in found if secret.reveal()]


def withheld_keys(target: Target, records: Sequence[MeasurementRecord]) -> tuple[str, ...]:
    """One line for what the target may not be sent at all, and one for each reason why the API key was not sent
    although a probe would have."""
    reasons: list[str] = []

    def visit(value: Json) -> None:
        if isinstance(value, dict):
            reason = value.get("key_withheld")
            if isinstance(reason, str):
                reasons.append(reason)
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    for record in records:
        visit(record.fact)
    lines = (f"the API key was withheld: {reason}" for reason in dict.fromkeys(reasons) if reason != target.withheld)
    return (*((target.withheld,) if target.withheld else ()), *lines)
