"""Data planes that SDKs constrained to them cannot use, or that send them elsewhere."""

from btdiag.lab.control_plane import PAGE
from btdiag.lab.faults.gateway import Constrained
from btdiag.lab.faults.http import AnswersWith, Stumbles
from btdiag.lab.faults.login import DescribesOrganisation
from btdiag.lab.faults.names import Tells
from btdiag.lab.plan import LabHop
from btdiag.lab.scenario import Scenario

ROUTES, LOGIN, APP_URL = "sdk.control-plane-routes-proxied", "sdk.login-points-here", "sdk.app-url-consistent"
NOT_FOUND = '{"error":"Not Found"}'
JSON = "application/json; charset=utf-8"
CALLS = ("GET", "POST")  # not the preflights of pages, which the API answers itself


def _missing(*paths: str) -> AnswersWith:
    return AnswersWith(hop=LabHop.BACKEND, paths=paths, status=404, body=NOT_FOUND, content_type=JSON)


def _login(body: str) -> AnswersWith:
    return AnswersWith(
        hop=LabHop.BACKEND, paths=("/api/apikey/login",), methods=CALLS, status=200, body=body, content_type=JSON
    )


def _points_to(api_url: str) -> AnswersWith:
    return _login(f'{{"org_info":[{{"id":"1","name":"lab","api_url":{api_url},"proxy_url":null}}]}}')


CONSTRAINED = Scenario(
    name="sdk-constrained",
    summary="SDKs have the data plane as app URL, and no public URL for their links.",
    faults=(Constrained(),),
    warns=(APP_URL,),
)

NOTHING_PROXIED = Scenario(
    name="sdk-nothing-proxied",
    summary="Constrained SDKs, and the data plane passes no control-plane call on.",
    faults=(Constrained(), _missing("/api/*")),
    fails=(ROUTES,),
    warns=(APP_URL,),
    skips=(LOGIN,),
)

NOTHING_PROXIED_UNCONSTRAINED = Scenario(
    name="sdk-nothing-proxied-unconstrained",
    summary="The data plane passes no control-plane call on, and nobody says that SDKs need it.",
    faults=(_missing("/api/*"),),
    skips=(ROUTES, LOGIN),
)

ONLY_LOGIN_NEW = Scenario(
    name="sdk-only-login-python",
    summary="Only the login is passed on, which is all that a newer Python SDK needs.",
    faults=(_missing("/api/project*", "/api/experiment/*", "/api/dataset/*"),),
    options=("--sdk", "python=0.48.1"),
)

ONLY_LOGIN_OLD = Scenario(
    name="sdk-only-login-old",
    summary="Only the login is passed on, and an older Python and a JavaScript SDK need more.",
    faults=(_missing("/api/project*", "/api/experiment/*", "/api/dataset/*"),),
    options=("--sdk", "python=0.34.0", "--sdk", "js=3.35.0"),
    fails=(ROUTES,),
)

REGISTER_MISSING = Scenario(
    name="sdk-register-missing",
    summary="Projects cannot be registered: a JavaScript logger loses its logs without an exception.",
    faults=(_missing("/api/project/register"),),
    options=("--sdk", "js=3.35.0"),
    fails=(ROUTES,),
)

HOLE = Scenario(
    name="sdk-hole-unconstrained",
    summary="The data plane passes control-plane calls on, but not all, and nobody says that SDKs need them.",
    faults=(_missing("/api/base_experiment/get_id"),),
    warns=(ROUTES,),
)

NO_REST_API = Scenario(
    name="sdk-no-rest-api",
    summary="Experiments cannot be created over the REST API, which Python SDKs from 0.35 on need.",
    faults=(_missing("/v1/experiment*"),),
    options=("--sdk", "python=0.48.1"),
    fails=("sdk.data-plane-routes-answered",),
)

LOGIN_NULL = Scenario(
    name="sdk-login-null",
    summary="Login is answered 200 with null.",
    faults=(Constrained(), _login("null")),
    fails=(ROUTES,),
    warns=(APP_URL,),
    skips=(LOGIN,),
)

LOGIN_PAGE = Scenario(
    name="sdk-login-page",
    summary="Login is answered with the web app's page.",
    faults=(
        Constrained(),
        AnswersWith(
            paths=("/api/apikey/login",), methods=CALLS, status=200, body=PAGE.decode(), content_type="text/html"
        ),
    ),
    fails=(ROUTES,),
    warns=(APP_URL,),
    skips=(LOGIN,),
)

CONTROL_PLANE_UNREACHABLE = Scenario(
    name="sdk-control-plane-unreachable",
    summary="The API server passes the calls on, and its network does not let it reach the control plane.",
    faults=(
        AnswersWith(
            hop=LabHop.BACKEND,
            paths=("/api/*",),
            methods=CALLS,
            status=502,
            body='{"error":"Bad Gateway"}',
            content_type=JSON,
        ),
    ),
    fails=(ROUTES,),
    skips=(LOGIN,),
)

POINTS_TO_HOSTED = Scenario(
    name="sdk-login-points-to-hosted",
    summary="Login names the hosted API, which answers 421 for this organisation.",
    faults=(_points_to('"https://api.braintrust.dev"'),),
    fails=(LOGIN,),
)

POINTS_TO_HTTP = Scenario(
    name="sdk-login-points-to-http",
    summary="Login names the data plane by a plain http URL.",
    faults=(_points_to('"http://api.lab.example"'),),
    fails=(LOGIN,),
)

POINTS_ELSEWHERE = Scenario(
    name="sdk-login-points-elsewhere",
    summary="Login names another host, which may be another name of the same data plane.",
    faults=(_points_to('"https://other.lab.example"'),),
    warns=(LOGIN,),
)

NO_ORGANISATION = Scenario(
    name="sdk-login-without-organisation",
    summary="Login knows the key in no organisation.",
    faults=(_login('{"org_info":[]}'),),
    fails=(LOGIN,),
)

HALF_ORGANISATION = Scenario(
    name="sdk-login-half-organisation",
    summary="Login describes the organisation without an id, which Python SDKs refuse.",
    faults=(DescribesOrganisation(key="id", value=None),),
    options=("--sdk", "python=0.48.1"),
    fails=(LOGIN,),
)

FUNCTIONS_BY_HTTP = Scenario(
    name="sdk-proxy-url-http",
    summary="Login sends the calls of functions to the data plane by plain http.",
    faults=(DescribesOrganisation(key="proxy_url", value="http://api.lab.example/v1/proxy"),),
    warns=(LOGIN,),
)

FUNCTIONS_ELSEWHERE = Scenario(
    name="sdk-proxy-url-gateway",
    summary="Login sends the calls of functions to a gateway of its own host, which may be right.",
    faults=(DescribesOrganisation(key="proxy_url", value="https://gateway.lab.example/v1/proxy"),),
)

STUMBLES = Scenario(
    name="sdk-login-stumbles",
    summary="The first login is answered 502, the next one well: JavaScript SDKs do not try again.",
    faults=(Stumbles(hop=LabHop.BACKEND, paths=("/api/apikey/login",), methods=("POST",)),),
    options=("--sdk", "js=3.35.0"),
    warns=(ROUTES,),
)

STUMBLES_UNNOTICED = Scenario(
    name="sdk-login-stumbles-python",
    summary="The first login is answered 502, the next one well, and Python SDKs try again.",
    faults=(Stumbles(hop=LabHop.BACKEND, paths=("/api/apikey/login",), methods=("POST",)),),
    options=("--sdk", "python=0.48.1"),
    warns=("readiness.no-unexplained-errors",),  # one answer was lost all the same
)

APP_URL_IS_AN_API = Scenario(
    name="sdk-app-url-is-an-api",
    summary="The app URL is the hosted product's API, and no web app.",
    faults=(Tells("app_url", "https://api.braintrust.dev"),),
    fails=(APP_URL,),
    warns=("egress.required-hosts-reachable",),  # the lab's name servers know no such host
    skips=("egress.tls-not-intercepted",),
)
