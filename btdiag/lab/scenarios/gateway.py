"""Gateways that keep the API reachable and still cut, drop, hold back or misroute what passes."""

from btdiag.lab.faults.gateway import BuffersAnswers, Caches, DecodesSlashes, HurriesUploads, Mislabels, RefusesWords
from btdiag.lab.faults.http import AnswersWith, Headers, LimitsSizes, RequestHeaders
from btdiag.lab.plan import HOST, Balancer, Tls
from btdiag.lab.scenario import PAGE, Scenario

UNKNOWN = "/v1/btdiag-no-such-route"

BODY_LIMIT = Scenario(
    name="gateway-body-limit",
    summary="The gateway takes bodies up to 1 MiB (nginx's default), GET /version allows 6 MiB.",
    faults=(LimitsSizes(body=1024 * 1024),),
    fails=("gateway.accepts-product-requests",),
)

METHODS = Scenario(
    name="gateway-methods",
    summary="A firewall lets GET, POST and OPTIONS through, and answers 403 to all other methods.",
    faults=(AnswersWith(status=403, style="awselb", methods=("PATCH", "PUT", "DELETE")),),
    fails=("gateway.accepts-product-requests",),
)

SDK_AGENTS = Scenario(
    name="gateway-refuses-sdks",
    summary="A firewall takes the User-Agent of the SDKs for a bot's: 403.",
    faults=(RefusesWords(agents=("python-requests",)),),
    fails=("gateway.accepts-product-requests",),
)

QUERIES = Scenario(
    name="gateway-refuses-queries",
    summary="A firewall takes the words of a query for an injection: 403.",
    faults=(RefusesWords(words=("union%20select",)),),
    fails=("gateway.accepts-product-requests",),
)

CHUNKED = Scenario(
    name="gateway-refuses-chunks",
    summary="The gateway demands a Content-Length: 411 to chunked bodies.",
    faults=(RefusesWords(chunked=True, status=411),),
    warns=("gateway.accepts-product-requests",),
)

URL_LIMIT = Scenario(
    name="gateway-url-limit",
    summary="The gateway takes URLs of up to 2 KiB.",
    faults=(LimitsSizes(url=2048),),
    warns=("gateway.accepts-product-requests",),
)

DROPS_HEADERS = Scenario(
    name="gateway-drops-headers",
    summary="The gateway drops the API's x-bt- headers from every answer.",
    faults=(Headers(drop=("x-bt-internal-trace-id",)),),
    fails=("gateway.preserves-headers",),
)

CACHES = Scenario(
    name="gateway-caches",
    summary="A CDN caches what the API answers to an unknown path.",
    faults=(Caches(paths=("/version",), methods=("GET",), spares_pages=True),),
    warns=("gateway.preserves-headers",),
)

LOSES_HTTPS = Scenario(
    name="gateway-loses-https",
    summary="X-Forwarded-Proto is lost, and the API redirects to plain http.",
    faults=(
        AnswersWith(status=301, style="nginx", paths=(UNKNOWN,), headers=(("Location", f"http://{HOST}{UNKNOWN}"),)),
    ),
    fails=("gateway.preserves-headers",),
    skips=(PAGE,),
)

BUFFERS = Scenario(
    name="gateway-buffers",
    summary="The gateway holds every answer back until it is complete.",
    faults=(BuffersAnswers(),),
    fails=("gateway.streams-unbuffered",),
)

ROUTE_DEAD = Scenario(
    name="gateway-route-dead",
    summary="The AI proxy's target group has no healthy member: 503 there, and / is fine.",
    faults=(AnswersWith(status=503, style="awselb", paths=("/v1/proxy/*",), methods=("POST", "GET")),),
    fails=("gateway.routes-reach-their-backend",),
    skips=("gateway.websockets-pass",),
)

SILENCE = Scenario(
    name="gateway-silence",
    summary="The gateway gives up an answer that stays silent for a second.",
    faults=(Balancer(silence_timeout=1.0),),
    fails=("gateway.silent-answers-are-awaited",),
)

HTTP2 = Scenario(
    name="gateway-http2",
    summary="The listener offers HTTP/2 in its handshake, and speaks HTTP/1.1 all the same.",
    faults=(Balancer(tls=Tls(alpn=("h2", "http/1.1"))),),
    fails=("gateway.http2-works-where-offered",),
)

COMPRESSION = Scenario(
    name="gateway-compression",
    summary="The gateway marks answers as gzip that are not packed.",
    faults=(Mislabels(),),
    fails=("gateway.compressed-answers-unpack",),
    skips=("cors.web-app-may-call",),
)

WEBSOCKETS = Scenario(
    name="gateway-websockets",
    summary="The gateway does not pass the Upgrade header on, as nginx by default.",
    faults=(RequestHeaders(drop=("upgrade",)),),
    warns=("gateway.websockets-pass",),
)

DECODES = Scenario(
    name="gateway-decodes-slashes",
    summary="The gateway decodes %2F in paths, as nginx does where proxy_pass has a path of its own.",
    faults=(DecodesSlashes(),),
    warns=("gateway.paths-arrive-unchanged",),
)

PATIENT = Scenario(
    name="gateway-patient",
    summary="A sound data plane, looked at with --deep: an upload that takes seconds gets through.",
    options=("--deep",),
)

HURRIED = Scenario(
    name="gateway-hurried",
    summary="The gateway gives an upload one second, however well it flows.",
    faults=(HurriesUploads(),),
    warns=("gateway.slow-uploads-pass",),
    options=("--deep",),
)
