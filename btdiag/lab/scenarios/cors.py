"""Hops that break CORS, or open it too far: who answers the preflight, what is dropped, doubled, stale or echoed."""

from dataclasses import replace

from btdiag.lab.faults.cors import (
    CREDENTIALS,
    ORIGIN,
    HangsUp,
    LacksNames,
    OverridesErrors,
    RefusesNames,
    Welcomes,
)
from btdiag.lab.faults.http import AnswersWith, Headers, RequestHeaders
from btdiag.lab.plan import LabHop, Told
from btdiag.lab.scenario import PAGE, Fault, Scenario

WEB_APP = "https://www.braintrust.dev"
OPTIONS = ("OPTIONS",)
PRODUCT_REQUESTS = "gateway.accepts-product-requests"
MAY_CALL = "cors.web-app-may-call"
ERRORS = "cors.errors-are-readable"
DOUBLED = "cors.headers-not-doubled"
CACHED = "cors.preflight-is-cached"
FOREIGN = "cors.foreign-origins-are-refused"
EXPOSED = "cors.exposed-headers-suffice"
APART = "cors.caches-keep-origins-apart"
BUCKET = "cors.bucket-lets-the-web-app-read"
FIXED = "https://braintrust.dev"
SECOND_ADDRESS = "127.0.0.3"


def _refuses_preflights(name: str, summary: str, *faults: Fault) -> Scenario:
    """No preflight passes; simple requests are as they should be."""
    return Scenario(name=name, summary=summary, faults=faults, fails=(MAY_CALL,), skips=(PAGE, CACHED))


def _refuses_options(name: str, summary: str, *faults: Fault) -> Scenario:
    """The same because of the method: the gateway family meets it too, and leaves the verdict to CORS."""
    return replace(_refuses_preflights(name, summary, *faults), skips=(PAGE, CACHED, PRODUCT_REQUESTS))


def _too_loose(name: str, summary: str, pattern: str) -> Scenario:
    """The API answers a kind of foreign origin as if it were the web app's."""
    return Scenario(
        name=name, summary=summary, faults=(Welcomes(hop=LabHop.BACKEND, pattern=pattern),), fails=(FOREIGN,)
    )


AUTH_401 = _refuses_options(
    "cors-auth-401",
    "Authentication in front of the API answers preflights 401 (nginx auth_request).",
    AnswersWith(methods=OPTIONS, status=401, style="nginx", headers=(("WWW-Authenticate", 'Basic realm="sso"'),)),
)
AUTH_302 = _refuses_options(
    "cors-auth-302",
    "Authentication in front of the API redirects preflights to a login page (ALB with OIDC).",
    AnswersWith(
        methods=OPTIONS,
        status=302,
        style="awselb",
        headers=(("Location", "https://login.lab.example/oauth2/authorize?client_id=lab"),),
    ),
)
METHOD_405 = _refuses_options(
    "cors-options-405",
    "A method filter answers OPTIONS with 405.",
    AnswersWith(methods=OPTIONS, status=405, style="nginx"),
)
METHOD_501 = _refuses_options(
    "cors-options-501",
    "A method filter answers OPTIONS with 501.",
    AnswersWith(methods=OPTIONS, status=501, body="Unsupported method ('OPTIONS')"),
)
ROUTE_404 = _refuses_preflights(
    "cors-options-404",
    "The gateway has no route for OPTIONS: 404.",
    AnswersWith(methods=OPTIONS, status=404, style="nginx"),
)
WAF = _refuses_options(
    "cors-waf",
    "A web application firewall forbids OPTIONS.",
    AnswersWith(methods=OPTIONS, status=403, style="cloudflare"),
)
WAF_HEADER = replace(
    _refuses_preflights(
        "cors-waf-header",
        "A web application firewall forbids preflights that name x-bt-use-cache.",
        RefusesNames(names=("x-bt-use-cache",)),
    ),
    skips=(CACHED,),
)
SILENT = _refuses_options(
    "cors-options-dropped", "A firewall drops OPTIONS: the connection is closed.", HangsUp(methods=OPTIONS)
)
REDIRECT = _refuses_options(
    "cors-redirect",
    "The gateway redirects preflights to another spelling of the host.",
    AnswersWith(methods=OPTIONS, status=301, style="nginx", headers=(("Location", "https://api2.lab.example/"),)),
)
STALE_LIST = replace(
    _refuses_preflights(
        "cors-stale-headers",
        "The list of request headers is older than the web app: x-bt-use-gateway is missing.",
        LacksNames(methods=OPTIONS, names=("x-bt-use-gateway",)),
    ),
    skips=(CACHED,),
)
STALE_METHODS = Scenario(
    name="cors-stale-methods",
    summary="The list of methods lacks PATCH.",
    faults=(LacksNames(methods=OPTIONS, names=("patch",), field="Access-Control-Allow-Methods"),),
    fails=(MAY_CALL,),
)
BROKEN_LIST = _refuses_preflights(
    "cors-broken-list",
    "The list of request headers is in quotes.",
    Headers(methods=OPTIONS, set=(("Access-Control-Allow-Headers", '"authorization", "content-type"'),)),
)
FIXED_ORIGIN = Scenario(
    name="cors-fixed-origin",
    summary="The gateway allows the bare domain only.",
    faults=(Headers(set=((ORIGIN, FIXED),)),),
    fails=(MAY_CALL,),
    skips=(PAGE, ERRORS, CACHED, EXPOSED),
)
NOT_LISTED = Scenario(
    name="cors-origin-not-listed",
    summary="The API does not know the web app's origin.",
    faults=(RequestHeaders(hop=LabHop.BACKEND, drop=("origin",), add=(("Origin", "https://other.example"),)),),
    fails=(MAY_CALL,),
    skips=(PAGE, ERRORS, CACHED, EXPOSED),
)
ORIGIN_STRIPPED = Scenario(
    name="cors-origin-stripped",
    summary="A CDN does not forward the Origin header.",
    faults=(RequestHeaders(drop=("origin",)),),
    fails=(MAY_CALL,),
    skips=(PAGE, ERRORS, CACHED, EXPOSED),
)
REQUEST_STRIPPED = Scenario(
    name="cors-preflight-stripped",
    summary="A CDN does not forward the Access-Control-Request headers: the AI proxy takes it for no preflight.",
    faults=(RequestHeaders(drop=("access-control-request-headers", "access-control-request-method")),),
    fails=(MAY_CALL,),
)
OPTIONS_ANSWERED = _refuses_preflights(
    "cors-options-answered",
    "The gateway answers OPTIONS with a bare 204.",
    AnswersWith(methods=OPTIONS, status=204),
)
WILDCARD = Scenario(
    name="cors-wildcard",
    summary="The gateway allows every origin with `*`, which does not count with credentials.",
    faults=(Headers(set=((ORIGIN, "*"),)),),
    warns=(MAY_CALL, FOREIGN),
)
CREDENTIALS_SPELLED = Scenario(
    name="cors-credentials-spelled",
    summary="Access-Control-Allow-Credentials is `True`.",
    faults=(Headers(set=((CREDENTIALS, "True"),)),),
    warns=(MAY_CALL,),
)
ONE_ADDRESS = Scenario(
    name="cors-one-address",
    summary="One address has a stale list of request headers.",
    faults=(LacksNames(methods=OPTIONS, addresses=(SECOND_ADDRESS,), names=("x-bt-parent",)),),
    fails=(MAY_CALL,),
)
ONLY_PREFLIGHTS = Scenario(
    name="cors-only-preflights",
    summary="The gateway answers preflights well and drops the headers from what follows.",
    faults=(Headers(methods=("GET",), drop=(ORIGIN.lower(), CREDENTIALS.lower())),),
    fails=(MAY_CALL,),
    skips=(PAGE, ERRORS, EXPOSED),
)
ONE_PATH = Scenario(
    name="cors-one-path",
    summary="Preflights of the AI proxy alone are refused.",
    faults=(AnswersWith(methods=OPTIONS, paths=("/v1/proxy/*",), status=405, style="envoy"),),
    fails=(MAY_CALL,),
)
ONE_PATH_502 = Scenario(
    name="cors-one-path-502",
    summary="The backend of the functions is down: its 502 looks like a CORS error in the browser.",
    faults=(AnswersWith(methods=OPTIONS, paths=("/function/*",), status=502, style="awselb"),),
    fails=(MAY_CALL,),
)
DOUBLED_ORIGIN = Scenario(
    name="cors-doubled",
    summary="API and gateway both add Access-Control-Allow-Origin.",
    faults=(Headers(add=((ORIGIN, WEB_APP),)),),
    fails=(DOUBLED,),
    skips=(MAY_CALL, CACHED, EXPOSED),
)
DOUBLED_CREDENTIALS = Scenario(
    name="cors-doubled-credentials",
    summary="API and gateway both add Access-Control-Allow-Credentials.",
    faults=(Headers(add=((CREDENTIALS, "true"),)),),
    warns=(DOUBLED,),
)
NO_ALWAYS = Scenario(
    name="cors-no-always",
    summary="The gateway's CORS headers are missing from error responses (nginx without `always`).",
    faults=(Headers(drop=(ORIGIN.lower(), CREDENTIALS.lower()), statuses=(4, 5)),),
    fails=(ERRORS,),
)
OWN_ERRORS = Scenario(
    name="cors-own-error-pages",
    summary="The gateway replaces the API's errors by pages of its own.",
    faults=(OverridesErrors(),),
    fails=(ERRORS,),
)
NO_MAX_AGE = Scenario(
    name="cors-no-max-age",
    summary="Access-Control-Max-Age is dropped.",
    faults=(Headers(drop=("access-control-max-age",)),),
    warns=(CACHED,),
)
ZERO_MAX_AGE = Scenario(
    name="cors-zero-max-age",
    summary="Access-Control-Max-Age is 0.",
    faults=(Headers(set=(("Access-Control-Max-Age", "0"),)),),
    warns=(CACHED,),
)
NOT_EXPOSED = Scenario(
    name="cors-not-exposed",
    summary="The gateway drops Access-Control-Expose-Headers.",
    faults=(Headers(drop=("access-control-expose-headers",)),),
    fails=(EXPOSED,),
)
NO_VARY = Scenario(
    name="cors-cache-poisoning",
    summary="Responses may be cached and do not say that they depend on Origin.",
    faults=(Headers(drop=("vary",), set=(("Cache-Control", "public, max-age=60"),)),),
    warns=(APART,),
)
ECHO = _too_loose("cors-echo", "Any origin is echoed, with credentials.", ".")
ECHO_WITHOUT_CREDENTIALS = Scenario(
    name="cors-echo-without-credentials",
    summary="Any origin is echoed, without credentials.",
    faults=(Welcomes(hop=LabHop.BACKEND, pattern=".", credentials=False),),
    warns=(FOREIGN, MAY_CALL),
)
SUFFIX = _too_loose("cors-suffix", "The pattern is open at its end.", r"^https://www\.braintrust\.dev")
UNANCHORED = _too_loose("cors-unanchored", "The pattern is open at its beginning.", r"braintrust\.dev$")
UNESCAPED = _too_loose("cors-unescaped-dot", "The dots of the pattern are not escaped.", "^https://www.braintrust.dev$")
DOWNGRADE = _too_loose("cors-downgrade", "Plain http is allowed.", r"^https?://www\.braintrust\.dev$")
NULL = _too_loose("cors-null", "The origin `null` is allowed.", "^null$")
ANY_PORT = _too_loose("cors-any-port", "Any port is allowed.", r"^https://www\.braintrust\.dev(:\d+)?$")
BUCKET_REFUSES = Scenario(
    name="cors-bucket-refuses-null",
    summary="The object store refuses `Origin: null`, which a redirect leaves.",
    faults=(Told(has_bucket=True),),
    fails=(BUCKET,),
)
BUCKET_ALLOWS = Scenario(
    name="cors-bucket",
    summary="The object store allows every origin: nothing is wrong.",
    faults=(Told(has_bucket=True), Headers(hop=LabHop.BRAINSTORE, set=((ORIGIN, "*"),))),
)
