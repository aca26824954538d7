"""Places where a data plane runs, whose filters let its telemetry out or not."""

from btdiag.lab.faults.http import AnswersWith
from btdiag.lab.faults.names import Declares, Tells
from btdiag.lab.plan import LabHop
from btdiag.lab.scenario import Scenario

DATA_PLANE = Tells("role", "data-plane")
BLOCK_PAGE = "<!DOCTYPE html><html><head><title>Blocked</title></head><body>This site is blocked.</body></html>"
OPTIONAL = "egress.required-hosts-reachable"  # the lab has none of the hosted product's optional hosts

SYSADMIN = "telemetry.sysadmin-endpoints-are-off"
SWITCHED_OFF = Declares("api:\n  extraEnvVars:\n    - name: DISABLE_SYSADMIN_TELEMETRY\n      value: 'true'\n")

LEAVES = Scenario(
    name="telemetry-leaves",
    summary="A place for the data plane that reaches the control plane, telemetry included.",
    faults=(DATA_PLANE,),
    warns=(OPTIONAL,),
    skips=(SYSADMIN,),
)
FILTERED = Scenario(
    name="telemetry-filtered",
    summary="A web filter lets logins through, and shows its page where telemetry goes.",
    faults=(
        DATA_PLANE,
        AnswersWith(hop=LabHop.APP, paths=("/api/pulse/*",), status=403, body=BLOCK_PAGE, content_type="text/html"),
    ),
    warns=(OPTIONAL, "telemetry.endpoint-is-reachable"),
    skips=(SYSADMIN,),
)
SYSADMIN_OFF = Scenario(
    name="telemetry-sysadmin-off",
    summary="The files switch the sysadmin endpoints off, and they are.",
    faults=(DATA_PLANE, SWITCHED_OFF),
    warns=(OPTIONAL,),
    skips=("config.*",),
)
SYSADMIN_ON = Scenario(
    name="telemetry-sysadmin-on",
    summary="The files switch the sysadmin endpoints off, and one still answers.",
    faults=(
        DATA_PLANE,
        SWITCHED_OFF,
        AnswersWith(
            hop=LabHop.BACKEND,
            paths=("/brainstore/backfill/status",),
            status=200,
            body='{"lag_s": 3}',
            content_type="application/json",
        ),
    ),
    warns=(OPTIONAL, SYSADMIN),
    skips=("config.*",),
)
