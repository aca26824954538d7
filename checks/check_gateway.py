"""What the hops between client and API allow and change: routes, methods, sizes, headers, streams."""

from __future__ import annotations

from btdiag.core.answers import Roots, facts_of
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Mode, Target
from btdiag.families.gateway.facts.protocols import Compressed, Http2, Shared, Upgrade
from btdiag.families.gateway.facts.requests import DirectTrials, ProductRequests, SlowUpload
from btdiag.families.gateway.facts.routes import MoreAnswers, PathAnswers, RouteAnswers
from btdiag.families.gateway.facts.streams import StreamSeen, StreamSilence
from btdiag.families.gateway.judge import headers, paths, protocols, requests, routes, silent_answers, streams, uploads
from btdiag.families.readiness.facts import Repeats


def check_routes_reach_their_backend(
    route_answers: RouteAnswers, direct_routes: MoreAnswers | NotMeasured, slow_routes: MoreAnswers | NotMeasured
) -> Finding:
    """Every class of routes reaches a backend that answers.

    Load balancers send the AI proxy, functions, ingest and queries to backends of their own. A health check on / covers
    one of them: the others can be dead while the data plane looks healthy.

    Measured: one request to each class, without a key and with an empty JSON object, so that nothing can be read or
    written. A refusal or an unknown route from the API itself is fine; a gateway's own page, 502 to 504, a web page, a
    redirect elsewhere and a broken connection are not. What does not seem to reach the API is asked again of --backend,
    and what gives no answer within 6 s is waited for until the other idle waits of the run end.

    Remedy: correct the load balancer's rule, target group or health check for the route named.

    Sources: RFC 9110 section 15; https://github.com/braintrustdata/terraform-aws-braintrust-data-plane
    """
    return conclude(routes.routes_reach_their_backend(route_answers, direct_routes, slow_routes))


def check_accepts_product_requests(
    product_requests: ProductRequests, direct_trials: DirectTrials | NotMeasured
) -> Finding:
    """Requests as the product sends them get through: methods, long URLs, many headers, large bodies.

    Gateways cut bodies at their default (nginx: 1 MiB), firewalls refuse PATCH or long query strings. SDKs then lose a
    batch of logs with a 413, and single buttons of the web app do nothing.

    Measured: requests to an unknown path without a key, each beside a plain one: PATCH, PUT, DELETE, a preflight, a URL
    of 4 KiB, 40 headers of 4 KiB, an encoded slash, a packed body, one announced by Expect: 100-continue, and a body
    just below what GET /version allows (6 MiB if it says nothing, never over 8 MiB; --quick: just above 1 MiB). What is
    answered otherwise was refused for its form, and is asked again of --backend, which tells by whom. Refused methods
    and bodies fail, the others warn; a refused preflight is the cors family's affair. --deep narrows the limits down.
    Where all that is long meets silence, be it URL, headers or body, packets above a size are lost on the way: Linux
    counts what was never acknowledged, and the long GET is sent once more in small packets. For the way back up to 40
    short GETs are sent at once, whose answers fill packets; where they stall, once more in small ones.

    Remedy: raise the limit at the hop that is named, or lower what GET /version advertises. Where large packets are
    lost, let ICMP "fragmentation needed" pass, or clamp the MSS at the VPN or tunnel.

    Sources: RFC 9110 sections 9, 15.5.6 and 15.5.14; RFC 6585 section 5; RFC 8899; RFC 9112 section 9.3.2;
    https://nginx.org/en/docs/http/ngx_http_core_module.html#client_max_body_size
    """
    return conclude(requests.accepts_product_requests(product_requests, direct_trials))


def check_slow_uploads_pass(slow_upload: SlowUpload | NotMeasured, mode: Mode) -> Finding:
    """An upload that takes long gets through.

    A batch of logs or an attachment needs a minute on a slow line. A hop that gives a request's body a fixed time, and
    not a longest silence, cuts it off however well it flows (Traefik 60 s by default).

    Measured: with --deep only: 64 KiB to an unknown path without a key, sent at once and then over as long as the other
    idle waits of the run, and with --backend beside it to the API server itself. Where the API answers before it has
    read the body nothing can be seen. Answers of tens of megabytes are not tried: no harmless request has one.

    Remedy: raise the hop's timeout for reading a request's body (Traefik: readTimeout, Apache: RequestReadTimeout).

    Sources: https://doc.traefik.io/traefik/routing/entrypoints/#respondingtimeouts;
    https://httpd.apache.org/docs/2.4/mod/mod_reqtimeout.html
    """
    return conclude(uploads.slow_uploads_pass(slow_upload, mode))


def check_preserves_headers(
    product_requests: ProductRequests,
    backend_unknown: Exchange | NotMeasured,
    roots: PerAddress[Roots] | NotMeasured,
    version: PerAddress[Exchange] | NotMeasured,
    repeats: PerAddress[Repeats] | NotMeasured,
    path_answers: PathAnswers | NotMeasured,
    target: Target,
) -> Finding:
    """Answers arrive as the API sent them: no header lost, nothing from a cache, no redirect led astray.

    SDKs read x-bt- headers, support needs the trace id, a cached answer shows one user what another asked for, and a
    redirect to plain http turns a POST into a GET.

    Measured: an unknown path through the load balancer and, with --backend, at the API server itself, header by header;
    signs of a cache (Age, X-Cache, an id that comes twice) in all answers to GET /, GET /version and that path, the
    second of which is asked several times in a row;
    redirects there, and on paths with a slash too many: to plain http they fail, to another port, the API server's own
    address or a host that only the inside knows they warn. Added headers are told, and no fault.

    Remedy: let the hop pass the named headers on, turn caching off for the API, pass Host on, send X-Forwarded-Proto.

    Sources: RFC 9110 section 7.6; RFC 9111 section 5.1; RFC 7239
    """
    again = [seen for one in facts_of(repeats).values() for seen in one.versions]
    return conclude(
        headers.preserves_headers(product_requests, backend_unknown, roots, version, again, path_answers, target)
    )


def check_streams_unbuffered(
    stream_seen: StreamSeen,
    backend_stream: StreamSeen | NotMeasured,
    roots: PerAddress[Roots] | NotMeasured,
    silence: StreamSilence | NotMeasured,
) -> Finding:
    """A stream of events arrives while it is being sent.

    A hop that buffers holds back what the AI proxy, functions and evals stream until all of it is there: answers come
    at once after a long silence, or end in a timeout.

    Measured: GET /sse through the load balancer and, with --backend, at the API server itself: when the first event
    and the ones after it arrive, for at most four seconds. A hop that gives the stream up later, and lets go of it only
    then, is found without --backend too. Where the API offers no stream the check is skipped.

    Remedy: turn response buffering off for the API (nginx: proxy_buffering off).

    Sources: https://html.spec.whatwg.org/multipage/server-sent-events.html;
    https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
    """
    return conclude(streams.streams_unbuffered(stream_seen, backend_stream, roots, silence))


def check_silent_answers_are_awaited(silence: StreamSilence) -> Finding:
    """An answer that stays silent is left alone while the API is at work on it.

    Functions and evals may run for 15 minutes before they answer, models think before the first word. A hop that gives
    up earlier (60 s by default at nginx, AWS load balancers and CloudFront) answers 504, or breaks the stream off.

    Measured: GET /sse, twice through the load balancer and with --backend once beside it, held until somebody ends it
    or for about 68 s, as long as other idle waits of a run. Two that end at the same age show a timer: it warns, and
    fails below 29 s where --backend shows that it is a hop's. Nothing else is slow without work, so where that route
    offers no stream, or keeps talking, the limit cannot be seen from outside.

    Remedy: raise the hop's timeout for answers to the longest run of a function (nginx: proxy_read_timeout 900s).

    Sources: https://www.braintrust.dev/docs/kb/ui-experiment-timeout-configuration-for-self-hosted-k8s;
    https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_read_timeout
    """
    return conclude(silent_answers.silent_answers_are_awaited(silence))


def check_http2_works_where_offered(http2: Http2, shared_connection: Shared | NotMeasured) -> Finding:
    """HTTP/2, where the handshake offers it, works as HTTP/1.1 does.

    Browsers take HTTP/2 whenever it is offered, SDKs mostly speak HTTP/1.1: where only one of them works, the web app
    fails while every script succeeds, or the other way round.

    Measured: GET / over HTTP/1.1 and three times over HTTP/2, each on a connection of its own. Not to offer it is no
    fault; an advertisement of HTTP/3 (Alt-Svc) is shown and not tried. Where --gateway names another host at the same
    address and in the same certificate, it is asked on a connection to the target too, as browsers would: another
    answer than on its own connection warns, 421 is fine.

    Remedy: let the listener speak what it offers in its handshake (ALPN), or offer http/1.1 alone; route by Host.

    Sources: RFC 9113 sections 3.2 and 9.1.1; RFC 7301; RFC 7838
    """
    return conclude(protocols.http2_works_where_offered(http2, shared_connection))


def check_compressed_answers_unpack(compressed: Compressed) -> Finding:
    """Compressed answers can be unpacked, and come only to those who accept them.

    SDKs and browsers ask for gzip, curl and health checks do not: an answer that two hops compress, or that is marked
    as packed and is not, fails the one and looks healthy to the other.

    Measured: GET /version with Accept-Encoding: gzip, deflate, and with identity. An uncompressed answer is no fault.

    Remedy: compress at one hop only, or at none, and heed Accept-Encoding.

    Sources: RFC 9110 sections 8.4 and 12.5.3
    """
    return conclude(protocols.compressed_answers_unpack(compressed))


def check_websockets_pass(upgrade: Upgrade, route_answers: RouteAnswers | NotMeasured) -> Finding:
    """A WebSocket can be opened through the load balancer where the API opens one.

    Realtime models of the AI proxy (/v1/proxy/realtime) speak WebSocket. Proxies drop the Upgrade header unless they
    are told to pass it on. Nothing else in a data plane needs it.

    Measured: GET /v1/proxy/realtime with Upgrade: websocket and no key, through the load balancer and, with --backend,
    at the API server itself; closed at once. Where the API server opens none, nothing can be seen.

    Remedy: let the hop pass Upgrade and Connection on.

    Sources: RFC 6455 section 4; https://nginx.org/en/docs/http/websocket.html
    """
    return conclude(protocols.websockets_pass(upgrade, route_answers))


def check_paths_arrive_unchanged(path_answers: PathAnswers, direct_paths: PathAnswers) -> Finding:
    """The API server is asked for the very path that the client sent.

    Names of projects, prompts and functions may hold a slash, which clients send as %2F. A hop that decodes it asks the
    API for another path, and the answer is a 404, or something else than was meant.

    Measured: GET //version, /version/ and /v1%2Fproject without a key, through the load balancer and at the API server
    itself (--backend), whose answers tell what arrived. Merged slashes are told, and no fault.

    Remedy: pass the path on as it was received (nginx: proxy_pass without a path of its own).

    Sources: RFC 3986 section 2.2; https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass
    """
    return conclude(paths.paths_arrive_unchanged(path_answers, direct_paths))
