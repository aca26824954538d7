"""Data planes that can be connected to and do not answer as they should: which hop says what instead."""

from btdiag.lab.control_plane import PAGE
from btdiag.lab.faults.connection import ShowsCertificate
from btdiag.lab.faults.http import (
    AnswersWith,
    AsksForLogin,
    BrainstoreDown,
    Delays,
    Latches,
    LimitsAtOnce,
    RateLimits,
    RequestHeaders,
    WantsHttps,
)
from btdiag.lab.faults.names import Tells
from btdiag.lab.plan import Backend, Balancer, LabHop
from btdiag.lab.scenario import BEYOND_CONNECTION, PAST_FRONT, UNTRUSTED, Fault, Scenario

LOGIN = "https://login.lab.example/oauth2/authorize?client_id=lab&redirect_uri=https%3A%2F%2Fapi.lab.example%2Foauth2"
LOGIN_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form>Sign in</form></body></html>"


def _dead_root(name: str, summary: str, *faults: Fault) -> Scenario:
    """A scenario in which nothing of the API is to be seen, so that only root-answers fails."""
    return Scenario(
        name=name,
        summary=summary,
        faults=faults,
        fails=("readiness.root-answers",),
        skips=BEYOND_CONNECTION,
        passes=PAST_FRONT,
    )


ROOT_500 = _dead_root(
    "root-500",
    "The API server answers 500 to everything.",
    AnswersWith(
        hop=LabHop.BACKEND, status=500, body='{"error":"Internal Server Error"}', content_type="application/json"
    ),
)
ROOT_502 = _dead_root("root-502", "The load balancer answers 502 (AWS style).", AnswersWith(status=502, style="awselb"))
ROOT_503 = _dead_root("root-503", "No healthy target: 503 (AWS style).", AnswersWith(status=503, style="awselb"))
ROOT_504 = _dead_root(
    "root-504", "The gateway times out: 504 (CloudFront).", AnswersWith(status=504, style="cloudfront")
)
ROOT_404 = _dead_root(
    "root-404", "The gateway has no route for this host: 404.", AnswersWith(status=404, style="nginx")
)
ROOT_401 = _dead_root(
    "root-401",
    "A login in front of the API answers 401.",
    AnswersWith(status=401, style="nginx", headers=(("WWW-Authenticate", 'Basic realm="restricted"'),)),
)
ROOT_403_WAF = _dead_root(
    "root-403-waf", "A web application firewall says 403.", AnswersWith(status=403, style="awselb")
)
ROOT_REDIRECT_LOGIN = _dead_root(
    "root-redirect-login",
    "A login in front of the API redirects to its page.",
    AnswersWith(status=302, style="awselb", headers=(("Location", LOGIN),)),
)
ROOT_REDIRECT_LOOP = _dead_root(
    "root-redirect-loop",
    "The gateway redirects https to https without end, for it is not told that clients come by https.",
    WantsHttps(),
)
ROOT_HTML = _dead_root(
    "root-html",
    "A web app answers 200 with HTML to everything.",
    AnswersWith(
        status=200, body=PAGE.decode(), content_type="text/html; charset=utf-8", headers=(("Server", "nginx"),)
    ),
)
ROOT_LOGIN_PAGE = _dead_root(
    "root-login-page",
    "A login page answers 200 with HTML to everything.",
    AnswersWith(status=200, body=LOGIN_PAGE, content_type="text/html; charset=utf-8"),
)
ROOT_421 = _dead_root(
    "root-421",
    "The server is not meant for this organisation: 421 Misdirected Request.",
    AnswersWith(status=421, body='{"error":"Misdirected Request"}', content_type="application/json"),
)
ROOT_426 = _dead_root(
    "root-426",
    "nginx speaks HTTP/1.0 to the Envoy behind it, which refuses that: 426.",
    AnswersWith(status=426, headers=(("Server", "envoy"), ("Connection", "close"))),
)
ROOT_PROTOCOL_ERROR = _dead_root(
    "root-protocol-error",
    "Envoy speaks HTTP/2 to an API server that knows HTTP/1.1 only.",
    AnswersWith(
        status=502,
        body="upstream connect error or disconnect/reset before headers. reset reason: protocol error",
        headers=(("Server", "envoy"),),
    ),
)
BACKEND_DOWN = _dead_root(
    "backend-down", "The API server is down: the load balancer's 502 tells so.", Backend(down=True)
)

# What depends on chance while several servers, or a limit, answer the same question.
MIXED = (
    *("readiness.*", "keepalive.*", "gateway.*", "audit.*", "retention.*"),
    *("sdk.control-plane-routes-proxied", "sdk.data-plane-routes-answered", "sdk.login-points-here"),
)

# What lets the web app's page read an answer that the API did not make.
READABLE = (
    ("Access-Control-Allow-Origin", "https://www.braintrust.dev"),
    ("Access-Control-Allow-Credentials", "true"),
    ("Access-Control-Expose-Headers", "x-bt-cursor, x-bt-found-existing, x-bt-span-id, x-bt-span-export"),
    ("Vary", "Origin"),
)

ROOT_429 = Scenario(
    name="root-429",
    summary="The gateway rate-limits: 429 with Retry-After to everything.",
    faults=(RateLimits(),),
    fails=("ratelimit.not-throttled",),
    inconclusive=(
        *(family for family in BEYOND_CONNECTION if family != "lna.*"),
        "keepalive.hint-is-true",
        "keepalive.race-is-contained",
    ),
    passes=PAST_FRONT,
)

FLAPPING = Scenario(
    name="flapping",
    summary="Every third request is answered 502: one of three API servers is broken.",
    faults=(AnswersWith(status=502, style="nginx", methods=("GET",), every=3, spares_pages=True),),
    fails=("readiness.answers-steadily",),
    skips=("readiness.api-stays-up",),
)

ONE_ADDRESS_502 = Scenario(
    name="one-address-502",
    summary="One of the load balancer's addresses answers 502.",
    faults=(AnswersWith(status=502, style="nginx", addresses=("127.0.0.3",)),),
    fails=("readiness.every-address-agrees",),
)

MIXED_VERSIONS = Scenario(
    name="mixed-versions",
    summary="The API servers behind one of the addresses have another version.",
    faults=(
        AnswersWith(
            addresses=("127.0.0.3",),
            paths=("/version",),
            status=200,
            body='{"version":"1.1.28","commit":"0ldba5e","logs3_payload_max_bytes":6291456}',
            content_type="application/json; charset=utf-8",
            headers=READABLE,
        ),
    ),
    warns=("readiness.every-address-agrees",),
)

TWO_APPLICATIONS = Scenario(
    name="two-applications",
    summary="The Service's selector takes in another application: every second GET /version gets its 404.",
    faults=tuple(
        AnswersWith(
            status=404, body="404 page not found", paths=("/version",), every=2, spares_pages=True, addresses=(address,)
        )
        for address in ("127.0.0.2", "127.0.0.3", "::1")
    ),
    fails=("readiness.answers-are-one-servers",),
    skips=MIXED,
    passes=("readiness.root-answers", "readiness.answers-promptly", *PAST_FRONT),
)

TWO_VERSIONS = Scenario(
    name="two-versions",
    summary="Every second GET /version is answered by a replica that was left behind.",
    faults=(
        AnswersWith(
            methods=("GET",),
            paths=("/version",),
            status=200,
            body='{"version":"1.1.28","commit":"0ldba5e","logs3_payload_max_bytes":6291456}',
            content_type="application/json; charset=utf-8",
            headers=READABLE,
            every=2,
        ),
    ),
    warns=("readiness.answers-are-one-servers",),
)

LIMIT_AT_ONCE = Scenario(
    name="limit-at-once",
    summary="The gateway refuses with 503 what a client sends while two of its requests are under way.",
    faults=(LimitsAtOnce(paths=("/",), methods=("GET",), spares_pages=True),),
    fails=("readiness.answers-are-one-servers",),
    skips=MIXED,
    passes=("readiness.root-answers", "readiness.answers-promptly", *PAST_FRONT),
)

NOW_AND_THEN = Scenario(
    name="errors-now-and-then",
    summary="Every fourth GET /version is answered 502: what asks again sees nothing of it.",
    faults=(AnswersWith(status=502, style="nginx", paths=("/version",), every=4, spares_pages=True),),
    fails=("readiness.no-unexplained-errors",),
)

VERSION_HTML = Scenario(
    name="version-html",
    summary="/ reaches the API, every other path is answered with the page of a web app.",
    faults=(
        AnswersWith(
            paths=("/version",),
            status=200,
            body='<!doctype html><html><head><title>App</title></head><body><div id="root"></div></body></html>',
            content_type="text/html; charset=utf-8",
            headers=READABLE,
        ),
    ),
    fails=("readiness.api-speaks-json",),
)

SLOW_FIRST_BYTE = Scenario(
    name="slow-first-byte",
    summary="The first byte of each answer comes after 2.5 s.",
    faults=(Delays(seconds=2.5, methods=("GET",)),),
    warns=("readiness.answers-promptly",),
)

STATUS_LATCHED = Scenario(
    name="status-latched",
    summary="/status has failed once and stays so for ever, though the API is well.",
    faults=(Latches(hop=LabHop.BACKEND, paths=("/status",)),),
    warns=("readiness.status-is-not-latched",),
)

FRONT_BROKEN = Scenario(
    name="front-broken",
    summary="The API server is well; the load balancer looks for it at a dead port, and answers 502.",
    faults=(Balancer(backend_down=True),),
    fails=("readiness.root-answers",),
    skips=BEYOND_CONNECTION,
    passes=PAST_FRONT,
)

BACKEND_WANTS_HTTPS = Scenario(
    name="backend-wants-https",
    summary="The API server redirects to https what did not come that way: nothing is wrong with that.",
    faults=(WantsHttps(hop=LabHop.BACKEND, paths=("/",)),),
)

BACKEND_UNHEALTHY_FRONT_OK = Scenario(
    name="backend-unhealthy-front-ok",
    summary="The load balancer answers / itself and so hides that the API server fails.",
    faults=(
        AnswersWith(status=200, body="ok", paths=("/",), headers=READABLE),
        AnswersWith(hop=LabHop.BACKEND, paths=("/",), status=503, body='{"error":"Service Unavailable"}'),
    ),
    fails=("readiness.backend-agrees",),
)

BRAINSTORE_DOWN = Scenario(
    name="brainstore-down",
    summary="Brainstore's port refuses connections.",
    faults=(BrainstoreDown(),),
    fails=("readiness.brainstore-answers",),
    skips=("brainstore.status-is-not-latched",),
)

BRAINSTORE_500 = Scenario(
    name="brainstore-500",
    summary="Brainstore answers 500.",
    faults=(AnswersWith(hop=LabHop.BRAINSTORE, status=500, body="internal error"),),
    fails=("readiness.brainstore-answers",),
    skips=("brainstore.status-is-not-latched",),
)

KEY_REJECTED = Scenario(
    name="key-rejected",
    summary="The API key is not accepted.",
    faults=(Tells("api_key", "sk-lab-revoked-0000"),),
    fails=("readiness.key-is-accepted",),
    skips=("sdk.control-plane-routes-proxied", "sdk.login-points-here", "audit.*"),
)

KEY_DROPPED = Scenario(
    name="key-dropped",
    summary="The gateway takes the Authorization header away.",
    faults=(RequestHeaders(drop=("authorization",)),),
    fails=("readiness.key-is-accepted",),
    skips=("sdk.control-plane-routes-proxied", "sdk.login-points-here", "audit.*"),
)

KEY_REPLACED = Scenario(
    name="key-replaced",
    summary="The gateway puts its own Authorization in place of the caller's.",
    faults=(RequestHeaders(drop=("authorization",), add=(("Authorization", "Basic bGFiOmxhYg=="),)),),
    fails=("readiness.key-is-accepted",),
    skips=("sdk.control-plane-routes-proxied", "sdk.login-points-here", "audit.*"),
)

API_RESTARTS = Scenario(
    name="api-restarts",
    summary="The API's process ends after a second or three and is started again, for as long as one looks.",
    faults=(Backend(restarts=(2.8, 1.1, 2.6)),),
    fails=("readiness.api-stays-up",),
    skips=(
        "keepalive.backend-outlives-load-balancer",
        "keepalive.declared-timeout-is-effective",
        "gateway.silent-answers-are-awaited",  # the stream is cut off with the rest
    ),
)

CAPTIVE_PORTAL = Scenario(
    name="captive-portal",
    summary="A captive portal stands in the way: its own certificate, and a redirect to its page.",
    faults=(
        ShowsCertificate(kind="portal"),
        AnswersWith(
            status=302,
            style="nginx",
            headers=(("Location", "http://portal.lab.example/login"),),
            plain_port_too=True,
        ),
    ),
    fails=("readiness.root-answers",),
    warns=("connection.plain-http-redirects",),
    skips=("connection.tls-is-trusted", *UNTRUSTED, *BEYOND_CONNECTION),
    passes=PAST_FRONT,
)

LOGIN_LETS_BEARERS_PASS = Scenario(
    name="login-lets-bearers-pass",
    summary="Only requests without a bearer token meet a login: all clients of the product have one.",
    faults=(AsksForLogin(),),
)

LOGIN_LETS_VALID_KEYS_PASS = Scenario(
    name="login-lets-valid-keys-pass",
    summary="A login in front lets valid keys pass: what is never asked with one cannot be told.",
    faults=(AsksForLogin(prefix="sk-"),),
    inconclusive=(
        "gateway.routes-reach-their-backend",
        "sdk.data-plane-routes-answered",
        "sdk.control-plane-routes-proxied",
    ),
)
