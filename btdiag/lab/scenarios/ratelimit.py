"""Rate limits: at the gateway for bursts, and on the way to the control plane."""

from btdiag.lab.faults.http import AnswersWith, RateLimits
from btdiag.lab.plan import LabHop
from btdiag.lab.scenario import Scenario

OUTBOUND_LIMITED = Scenario(
    name="ratelimit-outbound",
    summary="The API server's outbound limiter answers 429 to calls that pass on to the control plane.",
    faults=(
        AnswersWith(
            hop=LabHop.BACKEND,
            paths=("/api/*",),
            status=429,
            body='{"error":"Too Many Requests"}',
            content_type="application/json",
            headers=(("Retry-After", "17"),),
        ),
    ),
    fails=("ratelimit.not-throttled",),
    inconclusive=("sdk.control-plane-routes-proxied", "sdk.login-points-here"),
)

BURST_LIMITED = Scenario(
    name="ratelimit-bursts",
    summary="The gateway lets four GET /version a minute through: what comes faster is answered 429.",
    faults=(RateLimits(paths=("/version",), methods=("GET",), allowed=2, spares_pages=True),),
    inconclusive=("readiness.api-speaks-json", "gateway.compressed-answers-unpack"),
    warns=("ratelimit.not-throttled",),
)
