"""Can the data plane's own telemetry leave from here? Nothing is sent; what is closed source is told as seen."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.egress.facts import Egress
from btdiag.families.telemetry import judge
from btdiag.families.telemetry.facts import SysadminAnswers


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


def check_sysadmin_endpoints_are_off(target: Target, sysadmin_answers: SysadminAnswers | NotMeasured) -> Finding:
    """The endpoints for Braintrust's administrators are off where the files say so.

    They tell of backfill and compaction of Brainstore's segments: metadata, no customer data. Whoever switches them off
    has a reason to, and a value that is misspelt, or set on another container, leaves them on.

    Measured: where a file of --config sets DISABLE_SYSADMIN_TELEMETRY to true, GET of /brainstore/backfill/status and
    /brainstore/locks-snapshot without a key, beside a path that does not exist. An answer of its own warns, the one of
    a path that does not exist passes; which endpoints the setting covers is not published, so what is refused for want
    of a key is left open.

    Remedy: set it to true on the API's own container and restart it.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting/configure/telemetry
    """
    return conclude(judge.sysadmin_endpoints_are_off(target, sysadmin_answers))
