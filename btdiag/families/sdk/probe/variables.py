"""The variables that SDKs and the API server read, as they are set where btdiag runs."""

from __future__ import annotations

from btdiag.core.measurement import measurement
from btdiag.core.target import Target
from btdiag.families.sdk.facts import SdkEnvironment
from btdiag.net.environment import variable


@measurement(budget=1, why="no I/O")
async def sdk_environment(target: Target) -> SdkEnvironment:
    """BRAINTRUST_APP_URL, _APP_PUBLIC_URL, _API_URL, _PROXY_URL and _ORG_NAME of this process; none for a lab."""
    if target.lab_scenario is not None:
        return SdkEnvironment()
    return SdkEnvironment(
        app_url=variable("BRAINTRUST_APP_URL"),
        app_public_url=variable("BRAINTRUST_APP_PUBLIC_URL"),
        api_url=variable("BRAINTRUST_API_URL"),
        proxy_url=variable("BRAINTRUST_PROXY_URL"),
        org_name=variable("BRAINTRUST_ORG_NAME"),
    )
