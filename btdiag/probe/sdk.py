"""The variables that SDKs and the API server read, as they are set where btdiag runs."""

from __future__ import annotations

import os

from btdiag.config.declared import MAX_REQUESTS, WINDOW_MINUTES
from btdiag.core.measurement import measurement
from btdiag.core.target import Target
from btdiag.core.urls import without_userinfo
from btdiag.judge.ratelimit import Limit, OutboundLimit
from btdiag.judge.sdk_facts import SdkEnvironment


@measurement(budget=1, why="no I/O")
async def sdk_environment(target: Target) -> SdkEnvironment:
    """BRAINTRUST_APP_URL, _APP_PUBLIC_URL, _API_URL, _PROXY_URL and _ORG_NAME of this process; none for a lab."""
    if target.lab_scenario is not None:
        return SdkEnvironment()
    return SdkEnvironment(
        app_url=_value("BRAINTRUST_APP_URL"),
        app_public_url=_value("BRAINTRUST_APP_PUBLIC_URL"),
        api_url=_value("BRAINTRUST_API_URL"),
        proxy_url=_value("BRAINTRUST_PROXY_URL"),
        org_name=_value("BRAINTRUST_ORG_NAME"),
    )


@measurement(budget=1, why="no I/O")
async def outbound_limit(target: Target) -> OutboundLimit:
    """OUTBOUND_RATE_LIMIT_MAX_REQUESTS and _WINDOW_MINUTES: of this process, which are the API server's own when btdiag
    runs in its container (never for a lab), else what a file of --config declares."""
    return OutboundLimit(max_requests=_limit(target, MAX_REQUESTS), window_minutes=_limit(target, WINDOW_MINUTES))


def _limit(target: Target, name: str) -> Limit | None:
    value = None if target.lab_scenario is not None else _value(name)
    if value is not None:
        return Limit(value=value, where="where btdiag runs")
    declared = target.setting(name)
    return Limit(value=declared.value, where=f"in {declared.where}") if declared else None


def _value(name: str) -> str | None:
    value = os.environ.get(name)
    return without_userinfo(value.strip())[:300] if value is not None else None
