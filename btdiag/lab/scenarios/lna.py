"""Data planes on a private network, as browsers treat them: the user is asked, was asked before, or never can be."""

from dataclasses import replace

from btdiag.lab.faults.connection import ShowsCertificate
from btdiag.lab.faults.http import AnswersWith, Delays
from btdiag.lab.faults.names import Tells
from btdiag.lab.plan import Backend, Told
from btdiag.lab.scenario import PAGE, UNTRUSTED, Scenario

LOCAL = Told(space="local")
ASKED = "lna.no-prompt-needed"
REACHES = "lna.web-app-reaches-target"
CONTEXT = "lna.page-context-allows"
PLAIN_PAGE = "http://app.lab.example"

PRIVATE = Scenario(
    name="private",
    summary="A sound data plane on a private network: its addresses count as local, and users are asked.",
    faults=(LOCAL,),
    warns=(ASKED,),
)

PROXIED = Scenario(
    name="private-proxy",
    summary="A private data plane behind a forward proxy: browsers ask nothing for what goes through a proxy.",
    faults=(replace(LOCAL, through_proxy=True),),
)

BLOCKED = Scenario(
    name="private-block-stored",
    summary="A user of the private data plane clicked Block some day.",
    faults=(replace(LOCAL, decided="block"),),
    fails=(REACHES,),
    skips=(ASKED,),
)

ALLOWED = Scenario(
    name="private-allow-stored",
    summary="A user of the private data plane clicked Allow some day.",
    faults=(replace(LOCAL, decided="allow"),),
)

CORS_BROKEN = Scenario(
    name="private-cors-broken",
    summary="Users are asked, and what they allow fails: a method filter answers every preflight with 405.",
    faults=(LOCAL, AnswersWith(methods=("OPTIONS",), status=405, style="nginx")),
    fails=("cors.web-app-may-call",),
    warns=(ASKED,),
    skips=(PAGE, REACHES, "cors.preflight-is-cached", "gateway.accepts-product-requests"),
)

TLS_BROKEN = Scenario(
    name="private-tls-broken",
    summary="Nobody is ever asked, for the browser does not trust the private data plane's certificate.",
    faults=(LOCAL, ShowsCertificate(kind="unknown-ca")),
    fails=("connection.tls-is-trusted",),
    skips=(REACHES, ASKED, *UNTRUSTED),
)

SLOW = Scenario(
    name="private-slow",
    summary="Users are asked, and what they allow takes more than a second.",
    faults=(LOCAL, Delays(paths=("/version",), seconds=1.3)),
    warns=(ASKED,),
)

FRAMED = Scenario(
    name="private-framed",
    summary="The web app is shown in another site's frame, which does not hand it the permission.",
    faults=(LOCAL, Tells("page", "framed")),
    fails=(CONTEXT,),
    skips=(REACHES, ASKED),
)

INSECURE_PAGE = Scenario(
    name="private-insecure-page",
    summary="The web app is called over http: its pages can never reach a private network.",
    faults=(LOCAL, Backend(origins=(PLAIN_PAGE,)), Tells("origin", [PLAIN_PAGE])),
    fails=(CONTEXT,),
    skips=(REACHES, ASKED, "browser.scheme-is-secure"),
)
