"""Can the data plane's own telemetry leave from here? Nothing is sent; what is closed source is told as seen."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.egress.facts import Egress
from btdiag.families.telemetry import judge


def check_endpoint_is_reachable(egress: Egress | NotMeasured, target: Target) -> Finding:
    """Telemetry of the data plane gets out of the place where it runs.

    The API server, Brainstore and the gateway report state and metrics to the control plane, unless they are told not
    to. A filter that lets logins through and not this path leaves the data plane working, and support blind.

    Measured: with --role data-plane GET of /api/pulse/otel at the app URL, on the way on which / and a login were
    answered. Any answer of the control plane passes, for a GET is not what it takes; a block page, or no answer, warns.
    Where the host is not reached at all, egress.required-hosts-reachable says so.

    Remedy: allow the path at the filter, or switch telemetry off in the configuration.

    Sources: https://github.com/braintrustdata/helm (controlPlaneTelemetry);
    https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (monitoring_telemetry)
    """
    return conclude(judge.endpoint_is_reachable(egress, target))
