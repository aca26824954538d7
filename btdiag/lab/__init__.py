"""The embedded lab: a data plane on loopback whose every hop can be made to fail, for tests, demonstrations and curl.

`python -m btdiag.lab SCENARIO` serves one until its stdin closes. plan.py says what can be staged, world.py stages it;
the other modules are the hops. The lab imports nothing of the rest of btdiag: it must not inherit its mistakes.

A new scenario is a value in any module of scenarios/, found by itself; its faults apply in order to a healthy plan:

    CORS_STALE = Scenario(
        name="cors-stale-headers",
        summary="The gateway overrides the allowed headers with an old list.",
        faults=(Headers(set=(("Access-Control-Allow-Headers", "authorization"),), methods=("OPTIONS",)),),
        fails=("cors.web-app-may-call",),
    )

A new fault is a frozen dataclass in any module of faults/. If it acts on HTTP it is a `Rule`, which says where and on
which requests it acts, and overrides `before` (request in; request, response or raw bytes out) or `after` (response):

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Compresses(Rule):
        async def after(self, request: Request, response: Response, visit: Visit) -> Response:
            return response.setting("Content-Encoding", "gzip")

If it changes a setting of a hop it has `apply(plan) -> plan`; the values of plan.py themselves (`Balancer(...)`,
`Backend(...)`) are such faults too. What a rule must remember lives in `visit.memory`.
"""
