"""CORS that breaks for some requests only: by turns, for what browsers send, from a cache, where a redirect leads."""

from btdiag.lab.faults.cors import CREDENTIALS, ORIGIN, LacksNames, RefusesHeaders, ServesOthersAnswers
from btdiag.lab.faults.http import AnswersWith
from btdiag.lab.scenario import PAGE, Fault, Scenario
from btdiag.lab.scenarios.cors import (
    APART,
    CACHED,
    DOUBLED,
    ERRORS,
    EXPOSED,
    FOREIGN,
    MAY_CALL,
    OPTIONS,
    WEB_APP,
)


def _redirects(url: str) -> Fault:
    """GET / is sent on, in an answer that the page may see."""
    return AnswersWith(
        methods=("GET",),
        paths=("/",),
        status=307,
        headers=(("Location", url), (ORIGIN, WEB_APP), (CREDENTIALS, "true")),
    )


def _mixed(name: str, summary: str, *faults: Fault) -> Scenario:
    """The same preflight is refused and allowed by turns: nothing else of CORS can be judged."""
    return Scenario(
        name=name,
        summary=summary,
        faults=faults,
        fails=(MAY_CALL,),
        skips=(ERRORS, DOUBLED, CACHED, FOREIGN, EXPOSED, APART),
    )


ONE_REPLICA = _mixed(
    "cors-one-replica",
    "One server of three is older: its list of request headers lacks x-bt-use-gateway.",
    LacksNames(methods=OPTIONS, names=("x-bt-use-gateway",), every=3),
)
PRODUCT_HEADERS = Scenario(
    name="cors-product-headers",
    summary="A rule of the gateway refuses requests that carry x-bt-use-cache; preflights pass.",
    faults=(RefusesHeaders(methods=("GET", "POST"), prefix="x-bt-use-cache"),),
    fails=(MAY_CALL,),
)
CSRF_GUARD = Scenario(
    name="cors-csrf-guard",
    summary="A rule of the gateway refuses POST where the browser says that it comes from another site.",
    faults=(RefusesHeaders(methods=("POST",), prefix="sec-fetch-site", value="cross-site"),),
    fails=(MAY_CALL,),
    skips=(PAGE,),
)
HOTLINK = Scenario(
    name="cors-hotlink",
    summary="A rule of the gateway refuses requests with a Referer of another site.",
    faults=(RefusesHeaders(prefix="referer"),),
    fails=(MAY_CALL,),
    skips=(PAGE, ERRORS, CACHED, EXPOSED),
)
CACHE = Scenario(
    name="cors-cache",
    summary="A shared cache serves the answer that another origin got.",
    faults=(ServesOthersAnswers(methods=("GET",), allows="https://www.braintrustdata.com"),),
    fails=(APART,),
    warns=("gateway.preserves-headers",),
    skips=(PAGE, MAY_CALL, ERRORS, EXPOSED),
)
CACHE_BARE = Scenario(
    name="cors-cache-bare",
    summary="A shared cache serves an answer that was made for nobody's page: without CORS headers.",
    faults=(ServesOthersAnswers(methods=("GET",)),),
    fails=(APART,),
    warns=("gateway.preserves-headers",),
    skips=(PAGE, MAY_CALL, ERRORS, EXPOSED),
)
NO_ROUTE = Scenario(
    name="cors-no-route",
    summary="The load balancer has no rule for /function/*: its own 404 answers every method.",
    faults=(AnswersWith(paths=("/function/*",), status=404, style="nginx"),),
    fails=("gateway.routes-reach-their-backend",),
    skips=(MAY_CALL,),
)
TO_HTTP = Scenario(
    name="cors-redirect-to-http",
    summary="Behind TLS / is redirected to http://, for nobody tells it of https.",
    faults=(_redirects("http://api.lab.example/status"),),
    fails=("gateway.preserves-headers",),
    skips=(MAY_CALL,),
)
TO_HTTPS = Scenario(
    name="cors-redirect-within",
    summary="/ is redirected to another path of the API: browsers follow, and nothing is wrong.",
    faults=(_redirects("/status"),),
)
