"""Idle timeouts in the wrong order, and what only looks like it. Each load balancer races as its model does.

K is two to three seconds. Two milliseconds lie between load balancer and backend where a race is to be seen, so that it
is seen in the first idle period.
"""

from btdiag.lab.faults.http import AnswersWith, Headers, RateLimits
from btdiag.lab.faults.names import Omits, Tells
from btdiag.lab.plan import Backend, Balancer, LabHop
from btdiag.lab.scenario import Fault, Scenario

ORDER = "keepalive.backend-outlives-load-balancer"
CONTAINED = "keepalive.race-is-contained"
DROP = "keepalive.no-silent-drop"
FRONT = "keepalive.front-idle-timeout-suffices"

LINK = 0.001
SHORT_LIVED = Backend(keepalive=1.0)
SHORTER_LIVED = Backend(keepalive=1.0, grace=0.5)
UNDECLARED = Omits(("lb_idle_timeout",))


def _race(name: str, summary: str, balancer: Balancer, *faults: Fault) -> Scenario:
    """A scenario in which the race is to be proved by volleys: the load balancer's timeout is not declared."""
    return Scenario(name=name, summary=summary, faults=(balancer, SHORT_LIVED, UNDECLARED, *faults), fails=(ORDER,))


RACE = Scenario(
    name="keepalive-race",
    summary="The API closes idle connections after 2 s, the load balancer keeps them for 20 s; both are declared.",
    faults=(Balancer(upstream_idle=20.0, link_delay=LINK), SHORT_LIVED),
    fails=(ORDER,),
)
RACE_NGINX = _race(
    "keepalive-race-nginx",
    "As nginx: bodies are buffered, the last connection used is used first, GET is retried, POST gets 502.",
    Balancer(upstream_idle=20.0, link_delay=LINK, log="nginx"),
)
RACE_HAPROXY = _race(
    "keepalive-race-haproxy",
    "As HAProxy with http-reuse always: bodies are streamed, nothing is retried, clients get an empty reply.",
    Balancer(upstream_idle=20.0, link_delay=LINK, buffers=False, retry="none", on_broken="close", style="haproxy"),
)
RACE_ENVOY = _race(
    "keepalive-race-envoy",
    "As Envoy: nothing is retried, clients get 503; the connection idle for longest is used first.",
    Balancer(
        upstream_idle=20.0,
        link_delay=LINK,
        buffers=False,
        retry="none",
        on_broken=503,
        style="envoy",
        pool_order="fifo",
        log="envoy",
    ),
)
RACE_STREAMED = Scenario(
    name="keepalive-race-streamed",
    summary="Bodies are streamed to an API that closes 40 ms sooner than foretold: only held bodies, released one "
    "after another, meet that.",
    faults=(
        Balancer(upstream_idle=20.0, link_delay=LINK, buffers=False, retry="none", on_broken=503, style="envoy"),
        Backend(keepalive=1.0, grace=0.96),
        UNDECLARED,
        Omits(("backend",)),
    ),
    fails=(ORDER,),
    skips=("readiness.api-stays-up",),  # nobody watches while volleys are fired
)
STREAMED = Scenario(
    name="keepalive-streamed",
    summary="Bodies are streamed, and the order of timeouts is sound.",
    faults=(Balancer(link_delay=LINK, buffers=False, retry="none", on_broken=503, style="envoy"), Omits(("backend",))),
    skips=("readiness.api-stays-up",),  # nobody watches while volleys are fired
)
RACE_ANY_ORDER = _race(
    "keepalive-race-random",
    "Any connection of the pool may be used next.",
    Balancer(upstream_idle=20.0, link_delay=LINK, pool_order="random"),
)
RACE_GUESSED = Scenario(
    name="keepalive-race-past-nobody",
    summary="The API cannot be reached past the load balancer; its keep-alive is declared.",
    faults=(Balancer(upstream_idle=20.0, link_delay=LINK), SHORT_LIVED, UNDECLARED, Omits(("backend",))),
    fails=(ORDER,),
    skips=("readiness.api-stays-up",),  # nobody watches while volleys are fired
)
RACE_NOT_NODE = Scenario(
    name="keepalive-race-not-node",
    summary="An API that is no Node.js closes at its declared keep-alive, without a second more.",
    faults=(
        Balancer(upstream_idle=20.0, link_delay=3 * LINK),
        Backend(keepalive=2.0, grace=0.0),
        UNDECLARED,
        Omits(("backend",)),
    ),
    fails=(ORDER,),
    skips=("readiness.api-stays-up",),  # nobody watches while volleys are fired
)
RACE_OUTAGE = Scenario(
    name="keepalive-race-outage",
    summary="One lost race, and the load balancer answers 502 to everything for 2 s.",
    faults=(Balancer(upstream_idle=20.0, link_delay=LINK, takes_out_for=2.0), SHORT_LIVED),
    fails=(ORDER, CONTAINED),
)
MASKED = Scenario(
    name="keepalive-masked",
    summary="The load balancer repeats what is lost, POST included, and its timeout is not declared.",
    faults=(Balancer(upstream_idle=20.0, link_delay=LINK, retry="all"), SHORTER_LIVED, UNDECLARED),
    inconclusive=(ORDER,),
)
MASKED_DECLARED = Scenario(
    name="keepalive-masked-declared",
    summary="The load balancer repeats what is lost, but both timeouts are declared.",
    faults=(Balancer(upstream_idle=20.0, link_delay=LINK, retry="all"), SHORTER_LIVED),
    fails=(ORDER,),
)
NARROW = Scenario(
    name="keepalive-narrow-margin",
    summary="The load balancer closes first, but only one second before the API does.",
    faults=(Balancer(upstream_idle=1.0), Backend(keepalive=1.0)),
    warns=(ORDER,),
)
UNKNOWN = Scenario(
    name="keepalive-undeclared",
    summary="A sound order that nobody declared: it stays open, though slower answers show that the pool was closed.",
    faults=(Balancer(link_delay=10 * LINK), SHORTER_LIVED, UNDECLARED),
    inconclusive=(ORDER,),
)
INEFFECTIVE = Scenario(
    name="keepalive-setting-ineffective",
    summary="The API's keep-alive is declared as 8 s, but it closes after 3 s; the load balancer after 0.7 s.",
    faults=(Tells("backend_keepalive", 8.0),),
    fails=("keepalive.declared-timeout-is-effective",),
    skips=("gateway.silent-answers-are-awaited",),  # no stream of the lab is silent for as long as a run waits here
)
OVERLOADED = Scenario(
    name="keepalive-overloaded",
    summary="The API refuses every fourth POST with 503, at any age of the connection.",
    faults=(
        UNDECLARED,
        AnswersWith(hop=LabHop.BACKEND, status=503, body="{}", methods=("POST",), paths=("/btdiag-*",), every=4),
    ),
    inconclusive=(ORDER,),
)
THROTTLED = Scenario(
    name="keepalive-throttled",
    summary="A gateway allows 50 POSTs to unknown paths a minute, then says 429.",
    faults=(RateLimits(allowed=50, methods=("POST",), paths=("/btdiag-*",)),),
    inconclusive=(ORDER,),
)
NOT_PASSED_ON = Scenario(
    name="keepalive-balancer-answers",
    summary="The load balancer itself answers 404 to paths that it does not know.",
    faults=(UNDECLARED, AnswersWith(status=404, style="nginx", paths=("/btdiag-*",))),
    inconclusive=(ORDER,),
)
LONG = Scenario(
    name="keepalive-long",
    summary="A sound order of longer timeouts, for measuring how long a full run takes beside its waits.",
    faults=(Balancer(upstream_idle=10.0, front_idle=60.0), Backend(keepalive=20.0)),
    skips=("gateway.silent-answers-are-awaited",),  # the lab's stream is silent for a few seconds only
)
FRONT_SHORT = Scenario(
    name="keepalive-front-short",
    summary="The load balancer closes clients' idle connections after 1.5 s.",
    faults=(Balancer(front_idle=1.5),),
    warns=(FRONT,),
)
FRONT_HANGS_UP = Scenario(
    name="keepalive-front-hangs-up",
    summary="The load balancer closes every client connection after its answer, and does not say so.",
    faults=(Balancer(front_hangs_up=True),),
    fails=(FRONT,),
    skips=(DROP,),
)
FRONT_DROPS = Scenario(
    name="keepalive-front-drops",
    summary="A NAT in front forgets connections that were idle for 2.5 s, without a word.",
    faults=(Balancer(front_idle=60.0, front_forgets=2.5),),
    fails=(DROP,),
)
BACK_DROPS = Scenario(
    name="keepalive-back-drops",
    summary="A firewall behind the load balancer forgets connections idle for 2.5 s: requests on them get 504.",
    faults=(Balancer(upstream_idle=20.0, link_delay=LINK, link_drops_idle_after=2.5, upstream_timeout=1.0),),
    fails=(ORDER, DROP),
    skips=(CONTAINED,),
)
HINT_LIES = Scenario(
    name="keepalive-hint-lies",
    summary="The API's Keep-Alive: timeout=65 is passed on by a load balancer that closes after 1.5 s.",
    faults=(Balancer(front_idle=1.5), Headers(set=(("Keep-Alive", "timeout=65"),))),
    fails=("keepalive.hint-is-true",),
    warns=(FRONT,),
)
HINT_TRUE = Scenario(
    name="keepalive-hint-true",
    summary="The load balancer announces Keep-Alive: timeout=2 and keeps connections for 6 s.",
    faults=(Headers(set=(("Keep-Alive", "timeout=2"),)),),
)
