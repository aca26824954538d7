"""Places that may not reach the web app's host, each blocked in another way; and one that reaches what it must not."""

from btdiag.lab.faults.gateway import Isolated
from btdiag.lab.faults.http import AnswersWith, LimitsSizes
from btdiag.lab.faults.names import NamesApp, Tells, ThroughProxy
from btdiag.lab.plan import APP_HOST, App, LabHop, LabProxy
from btdiag.lab.scenario import Fault, Scenario

REACHABLE, NOT_INTERCEPTED = "egress.required-hosts-reachable", "egress.tls-not-intercepted"
SDK = Tells("role", "sdk")
BLOCK_PAGE = "<!DOCTYPE html><html><head><title>Blocked</title></head><body>This site is blocked.</body></html>"


def _blocked(name: str, summary: str, *faults: Fault, tls: bool = False) -> Scenario:
    """A place for SDKs that cannot reach the web app; `tls` tells if certificates are seen all the same."""
    return Scenario(
        name=name,
        summary=summary,
        faults=(SDK, *faults),
        fails=(REACHABLE,),
        skips=() if tls else (NOT_INTERCEPTED,),
    )


ROLE_SDK = Scenario(name="egress-sdk", summary="A place for SDKs that reaches the web app.", faults=(SDK,))
NAME = _blocked("egress-name", "The resolver does not know the web app's name.", App(addresses=()))
SINKHOLE = _blocked("egress-sinkhole", "A DNS filter answers 0.0.0.0 for it.", App(addresses=("0.0.0.0",)))
REFUSED = _blocked("egress-refused", "A firewall rejects connections to it.", App(door="refuses"))
SILENT = _blocked("egress-silent", "A firewall drops connections to it.", App(door="silent"))
TLS_RESET = _blocked("egress-tls-reset", "Every TLS handshake with it is reset.", App(on_hello="resets"))
SNI_FILTER = _blocked("egress-sni-filter", "A filter resets connections that name it.", App(on_hello="filters"))
STRANGER = _blocked(
    "egress-stranger", "A block page's server answers in its place.", App(certificate="wrong-name"), tls=True
)
PAGE = _blocked(
    "egress-block-page",
    "A web filter whose certificate is trusted shows its page.",
    AnswersWith(hop=LabHop.APP, status=200, body=BLOCK_PAGE, content_type="text/html"),
    tls=True,
)
PORTAL = _blocked(
    "egress-portal",
    "Everything is redirected to a portal.",
    AnswersWith(hop=LabHop.APP, status=302, headers=(("Location", "http://portal.lab.example/login"),)),
    tls=True,
)
PATH = _blocked(
    "egress-path-filter",
    "A filter allows the web app's / and no more.",
    AnswersWith(hop=LabHop.APP, paths=("/api/*",), status=403, body=BLOCK_PAGE, content_type="text/html"),
    tls=True,
)
METHOD = _blocked(
    "egress-method-filter",
    "A filter lets GET through to the web app's API, and no POST.",
    AnswersWith(
        hop=LabHop.APP, paths=("/api/*",), methods=("POST",), status=405, body=BLOCK_PAGE, content_type="text/html"
    ),
    tls=True,
)
BODY = _blocked(
    "egress-body-filter",
    "A filter stops bodies of more than 16 KiB on their way to the web app.",
    LimitsSizes(hop=LabHop.APP, body=16 * 1024),
    tls=True,
)
LARGER_BODIES = Scenario(
    name="egress-bodies-pass",
    summary="A filter on the way to the web app stops bodies of more than a mebibyte, which no login has.",
    faults=(SDK, LimitsSizes(hop=LabHop.APP, body=1024 * 1024)),
)
PROXY_REFUSES = _blocked(
    "egress-proxy-refuses",
    "The proxy lets the target through, and answers 403 for the web app.",
    ThroughProxy(),
    LabProxy(denies=403, denied_hosts=(APP_HOST,)),
)

INTERCEPTED = Scenario(
    name="egress-intercepted",
    summary="A firewall inspects TLS to the web app, with a CA that nobody here trusts.",
    faults=(SDK, App(certificate="inspected")),
    fails=(NOT_INTERCEPTED,),
    skips=(REACHABLE,),
)

WEB_PAGE = Scenario(
    name="egress-page-for-api",
    summary="Where SDKs log in a web page is served: something else than the API answers.",
    faults=(
        SDK,
        AnswersWith(
            hop=LabHop.APP,
            paths=("/api/*",),
            status=404,
            body="<!DOCTYPE html><html><head><title>Not here</title></head><body>Not here.</body></html>",
            content_type="text/html",
        ),
    ),
    warns=(REACHABLE,),
)

DOES_NOT_SERVE = Scenario(
    name="egress-app-out-of-order",
    summary="The web app's host is reached, and answers 503 to everything.",
    faults=(SDK, AnswersWith(hop=LabHop.APP, status=503, style="nginx")),
    warns=(REACHABLE,),
)

LED_ON = Scenario(
    name="egress-redirects-away",
    summary="A host that is named redirects to another one, which nobody named.",
    faults=(
        NamesApp(),
        AnswersWith(hop=LabHop.APP, paths=("/",), status=302, headers=(("Location", "https://elsewhere.lab.test/"),)),
    ),
    warns=(REACHABLE,),
)

CANONICAL = Scenario(
    name="egress-redirects-to-canonical",
    summary="A host that is named redirects to its canonical name.",
    faults=(
        NamesApp(),
        AnswersWith(hop=LabHop.APP, paths=("/",), status=302, headers=(("Location", "https://www.app.lab.example/"),)),
    ),
)

WITHOUT_ROLE = Scenario(
    name="egress-without-role",
    summary="The web app is blocked, and nobody says that this place needs it.",
    faults=(App(door="refuses"),),
    warns=(REACHABLE,),
    skips=(NOT_INTERCEPTED,),
)

ISOLATED = Scenario(
    name="egress-isolated",
    summary="A host that must stay blocked does.",
    faults=(Tells("expect_blocked", ["https://blocked.lab.example"]),),
)

NOT_ISOLATED = Scenario(
    name="egress-not-isolated",
    summary="The API server must not be reachable past the load balancer, and is.",
    faults=(Isolated(),),
    fails=("egress.blocked-hosts-stay-blocked",),
)
