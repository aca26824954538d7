"""What hops let through and change: sizes, methods, routes, headers, streams and rate limits, judged by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange, Failure, Phase, TcpCounters, Timing, Trouble
from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Mode, Target
from btdiag.families.gateway.facts.requests import (
    DirectTrials,
    ManyAnswers,
    ProductRequests,
    RequestTrial,
    Trait,
    is_refused,
)
from btdiag.families.gateway.facts.routes import ROUTE_CLASSES, MoreAnswers, RouteAnswers
from btdiag.families.gateway.facts.streams import StreamSeen
from btdiag.families.gateway.judge.headers import dropped_headers, preserves_headers, repeated
from btdiag.families.gateway.judge.requests import accepts_product_requests
from btdiag.families.gateway.judge.routes import is_kept_from_api, routes_reach_their_backend
from btdiag.families.gateway.judge.streams import streams_unbuffered
from btdiag.families.gateway.plan import (
    DEEP_URL,
    KIB,
    MIB,
    MOST_BODY,
    advertised_body,
    body_to_send,
    next_body,
    next_size,
)
from btdiag.families.ratelimit import judge
from btdiag.families.ratelimit.facts import Limit, OutboundLimit
from btdiag.families.sdk.facts import ControlPlane, Login
from btdiag.families.sdk.needs import LOGIN
from tests import factories

NONE = NotMeasured(reason="not asked for", skipped=True)
TARGET = Target(url="https://api.example.com", scheme="https", host="api.example.com", port=443)
NGINX = "<html><body><hr><center>nginx/1.22.1</center></body></html>"
PAGE = "<!DOCTYPE html><html><head><title>Blocked</title></head><body>site blocked</body></html>"


def seen(
    status: int | None = 404,
    body: str = '{"error":"Not Found"}',
    trouble: Trouble = Trouble.RESET,
    path: str = "/v1/x",
    label: str = "192.0.2.1",
    after: float = 0.01,
    **headers: str,
) -> Exchange:
    return factories.exchange(
        url=f"https://api.example.com{path}",
        label=label,
        status=status,
        body=body,
        headers=factories.named(headers),
        failure=None if status else Failure(phase=Phase.HEADERS, trouble=trouble, detail="as seen"),
        timing=Timing(first_byte_s=after, total_s=1.0),
    )


NOT_FOUND = seen()
TOO_LARGE = seen(413, NGINX)
UNSIGNED = seen(413, "too large")


def product(*trials: RequestTrial, advertised: int | None = 6 * MIB) -> ProductRequests:
    return ProductRequests(plain_get=NOT_FOUND, plain_post=NOT_FOUND, trials=trials, advertised=advertised)


def trial(trait: Trait, exchange: Exchange, size: int = 0) -> RequestTrial:
    return RequestTrial(trait=trait, what=str(trait), exchange=exchange, size=size)


# Requests of the product


@pytest.mark.parametrize(
    ("trait", "exchange", "refused"),
    [
        (Trait.METHOD, seen(404), False),
        (Trait.METHOD, seen(401), False),  # the API's own JSON: it decides by method, no hop does
        (Trait.METHOD, seen(405), False),
        (Trait.METHOD, seen(405, NGINX), True),
        (Trait.METHOD, seen(403, "", Server="awselb/2.0"), True),
        (Trait.METHOD, seen(502, NGINX), True),
        (Trait.METHOD, seen(None), True),
        (Trait.METHOD, seen(None, trouble=Trouble.LOCAL), False),
        (Trait.METHOD, seen(429), False),
        (Trait.BODY, seen(413), True),
        (Trait.BODY, TOO_LARGE, True),
        (Trait.URL, seen(414, NGINX), True),
        (Trait.URL, seen(200, PAGE), True),
        (Trait.URL, seen(200, "ok"), False),
        (Trait.EXPECT, seen(417, ""), True),
        (Trait.BODY, seen(502, NGINX), False),  # who hangs up while the body is sent is not told by that
        (Trait.BODY, seen(None), False),
    ],
)
def test_what_is_refused_for_its_form(trait: Trait, exchange: Exchange, refused: bool) -> None:
    assert is_refused(trial(trait, exchange), NOT_FOUND) is refused


@pytest.mark.parametrize(
    ("answer", "plain", "refused"),
    [
        (seen(405, "no"), seen(404, "nothing here"), False),  # neither is signed: the same application, it seems
        (seen(405, "no"), NOT_FOUND, True),  # not by the API, which answers in JSON
        (seen(405, "no", Server="awselb/2.0"), seen(404, "nothing here"), True),
        (seen(403, PAGE), seen(404, "nothing here"), True),
        (seen(502, "no"), seen(404, "nothing here"), True),
    ],
)
def test_who_does_not_sign_may_be_the_application(answer: Exchange, plain: Exchange, refused: bool) -> None:
    assert is_refused(trial(Trait.METHOD, answer), plain) is refused


def test_refused_bodies_and_methods_fail_and_the_rest_warns() -> None:
    def verdict(*trials: RequestTrial) -> Verdict:
        return accepts_product_requests(product(*trials), NONE).verdict

    fine = trial(Trait.METHOD, NOT_FOUND)
    assert verdict(fine) is Verdict.PASS
    assert verdict(fine, trial(Trait.URL, seen(414, NGINX))) is Verdict.WARN
    assert verdict(trial(Trait.BODY, TOO_LARGE, 6 * MIB), trial(Trait.URL, seen(414, NGINX))) is Verdict.FAIL
    assert verdict(trial(Trait.METHOD, seen(429))) is Verdict.INCONCLUSIVE
    assert verdict(trial(Trait.BODY, seen(None, trouble=Trouble.TIMEOUT), 6 * MIB)) is Verdict.INCONCLUSIVE
    assert verdict(trial(Trait.BODY, seen(502, NGINX), 6 * MIB)) is Verdict.INCONCLUSIVE
    assert verdict(trial(Trait.EXPECT, seen(417, ""))) is Verdict.WARN


def test_an_answer_before_the_whole_body_is_told() -> None:
    early = trial(Trait.BODY, seen(404, after=0.0), 6 * MIB)
    assert "before it has read all of it" in accepts_product_requests(product(early), NONE).summary
    assert "before it has read" not in accepts_product_requests(product(trial(Trait.BODY, NOT_FOUND, 1)), NONE).summary


def test_a_refused_preflight_alone_is_judged_by_cors() -> None:
    preflight = trial(Trait.OPTIONS, seen(405, NGINX))
    alone = accepts_product_requests(product(preflight), NONE)
    assert (alone.verdict, alone.because) == (Verdict.SKIP, "cors.web-app-may-call")
    both = accepts_product_requests(product(preflight, trial(Trait.METHOD, seen(405, NGINX))), NONE)
    assert both.verdict is Verdict.FAIL


def test_what_the_api_server_does_too_is_not_put_down_to_a_hop() -> None:
    refused = trial(Trait.METHOD, seen(405, NGINX))
    beside = DirectTrials(trials=(refused,))
    assert accepts_product_requests(product(refused), beside).verdict is Verdict.PASS
    large = trial(Trait.BODY, seen(413, "too large"), 6 * MIB)
    found = accepts_product_requests(product(large), DirectTrials(trials=(large,)))
    assert (found.verdict, found.hop) == (Verdict.FAIL, "api")
    taken = accepts_product_requests(product(large), DirectTrials(trials=(trial(Trait.BODY, NOT_FOUND, 6 * MIB),)))
    assert (taken.verdict, taken.hop) == (Verdict.FAIL, "load balancer")
    assert "the API server itself: 404" in taken.summary


def test_the_limit_is_named_between_what_passed_and_what_did_not() -> None:
    found = accepts_product_requests(
        product(trial(Trait.BODY, TOO_LARGE, 6 * MIB), trial(Trait.BODY, NOT_FOUND, MIB), advertised=5 * MIB),
        NONE,
    )
    assert "between 1.0 MiB and 6.0 MiB; GET /version tells SDKs 5.0 MiB" in found.summary
    assert found.remedy is not None
    assert any("client_max_body_size" in snippet.code for snippet in found.remedy.snippets)


def test_halving_ends_close_to_the_limit() -> None:
    limit, trials = 1 * MIB, [trial(Trait.BODY, UNSIGNED, 6 * MIB)]
    while (size := next_body(trials, NOT_FOUND, Mode(deep=True))) is not None:
        trials.append(trial(Trait.BODY, NOT_FOUND if size <= limit else UNSIGNED, size))
    assert len(trials) == 7
    assert next_body([trial(Trait.BODY, NOT_FOUND, MIB)], NOT_FOUND, Mode(deep=True)) is None
    assert next_body([trial(Trait.BODY, UNSIGNED, 6 * MIB)], NOT_FOUND, Mode()) is None


def test_a_products_default_is_looked_for_first() -> None:
    trials = [trial(Trait.BODY, TOO_LARGE, 6 * MIB)]
    while (size := next_body(trials, NOT_FOUND, Mode())) is not None:
        trials.append(trial(Trait.BODY, NOT_FOUND if size <= MIB else TOO_LARGE, size))
    assert [one.size for one in trials] == [6 * MIB, MIB, MIB + 1]
    assert "the limit is 1.0 MiB, nginx's default" in accepts_product_requests(product(*trials), NONE).summary


def test_limits_beyond_the_products_needs_are_told_and_not_held_against_anybody() -> None:
    limit, trials = 8 * KIB, list[RequestTrial]()
    while (size := next_size(trials, NOT_FOUND, DEEP_URL)) is not None:
        trials.append(trial(Trait.URL, NOT_FOUND if size <= limit else seen(414, NGINX), size))
    found = replace(product(), beyond=tuple(trials))
    assert accepts_product_requests(found, NONE).verdict is Verdict.PASS
    assert "what passes at most: a URL of 8 KiB" in accepts_product_requests(found, NONE).summary


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"logs3_payload_max_bytes": 5242880}', 5242880),
        ('{"logs3_payload_max_bytes": null}', None),
        ('{"logs3_payload_max_bytes": true}', None),
        ('{"logs3_payload_max_bytes": -1}', None),
        ("[]", None),
        ("hello", None),
    ],
)
def test_what_version_allows(body: str, expected: int | None) -> None:
    assert advertised_body(seen(200, body)) == expected


def test_never_more_than_eight_mib_is_sent() -> None:
    assert body_to_send(10**12, Mode()) < MOST_BODY
    assert body_to_send(None, Mode()) == 6 * MIB - KIB
    assert body_to_send(None, Mode(quick=True)) == MIB + 64 * KIB
    assert body_to_send(100, Mode()) == 1


# Routes


@pytest.mark.parametrize(
    ("answer", "unknown", "lost"),
    [
        (seen(401), NOT_FOUND, False),
        (seen(404), NOT_FOUND, False),
        (seen(404, NGINX), NOT_FOUND, True),
        (seen(404, NGINX), seen(404, NGINX), True),
        (seen(401, NGINX), seen(404, NGINX), False),  # a gateway's pages for the API's own statuses
        (seen(404, "not found"), seen(404, "not found"), False),
        (seen(501, "<html><body>Unsupported method</body></html>"), NOT_FOUND, False),
        (seen(503, ""), NOT_FOUND, True),
        (seen(200, PAGE), NOT_FOUND, True),
        (seen(302, "", Location="https://login.example.com/authorize"), NOT_FOUND, True),
        (seen(None), NOT_FOUND, True),
        (seen(403, '{"message":"Missing Authentication Token"}'), NOT_FOUND, True),
    ],
)
def test_which_answers_show_that_a_route_is_lost(answer: Exchange, unknown: Exchange, lost: bool) -> None:
    assert is_kept_from_api(answer, unknown) is lost


def test_routes_that_do_not_reach_the_api_are_named() -> None:
    answers = tuple(
        (route, seen(503, "", Server="awselb/2.0") if route.name == "evals" else seen(401)) for route in ROUTE_CLASSES
    )
    found = routes_reach_their_backend(RouteAnswers(answers=answers, unknown=NOT_FOUND), NONE, NONE)
    assert found.verdict is Verdict.FAIL
    assert "1 of 8 classes" in found.summary
    assert "/v1/eval" in found.summary
    limited = tuple((route, seen(429)) for route in ROUTE_CLASSES)
    throttled = RouteAnswers(answers=limited, unknown=NOT_FOUND)
    assert routes_reach_their_backend(throttled, NONE, NONE).verdict is Verdict.INCONCLUSIVE


LATE = seen(None, trouble=Trouble.TIMEOUT)
NOWHERE = seen(404, NGINX)


@pytest.mark.parametrize(
    ("answer", "unknown", "own", "later", "verdict"),
    [
        (seen(503, NGINX), NOT_FOUND, None, None, Verdict.FAIL),
        (seen(503, NGINX), NOT_FOUND, seen(401), None, Verdict.FAIL),
        (seen(503, "no"), NOT_FOUND, seen(503, "no"), None, Verdict.PASS),  # the API's own way
        (NOWHERE, NOT_FOUND, None, None, Verdict.FAIL),
        (NOWHERE, NOWHERE, None, None, Verdict.INCONCLUSIVE),  # a gateway without a rule, or an API in nginx
        (NOWHERE, NOWHERE, NOWHERE, None, Verdict.PASS),
        (NOWHERE, NOWHERE, seen(401), None, Verdict.FAIL),
        (seen(404, "404 page not found"), seen(404, "404 page not found"), None, None, Verdict.INCONCLUSIVE),
        (seen(404, "", Server="awselb/2.0"), seen(404, "", Server="awselb/2.0"), None, None, Verdict.FAIL),
        (LATE, NOT_FOUND, None, None, Verdict.INCONCLUSIVE),  # our own patience ended
        (LATE, NOT_FOUND, LATE, None, Verdict.PASS),
        (LATE, NOT_FOUND, None, seen(401), Verdict.PASS),
        (LATE, NOT_FOUND, None, seen(504, NGINX), Verdict.FAIL),
        (LATE, NOT_FOUND, None, LATE, Verdict.INCONCLUSIVE),
    ],
)
def test_what_an_answer_tells_of_a_route(
    answer: Exchange, unknown: Exchange, own: Exchange | None, later: Exchange | None, verdict: Verdict
) -> None:
    def more(other: Exchange | None) -> MoreAnswers | NotMeasured:
        return MoreAnswers(answers=((ROUTE_CLASSES[0], other),)) if other else NONE

    answers = ((ROUTE_CLASSES[0], answer), *((route, seen(401)) for route in ROUTE_CLASSES[1:]))
    found = routes_reach_their_backend(RouteAnswers(answers=answers, unknown=unknown), more(own), more(later))
    assert found.verdict is verdict


def test_a_gateways_patience_is_told() -> None:
    late = replace(seen(504, NGINX), timing=Timing(total_s=60.04))
    answers = tuple((route, LATE if route.name == "functions" else seen(401)) for route in ROUTE_CLASSES)
    slow = MoreAnswers(answers=((ROUTE_CLASSES[-1], late),))
    found = routes_reach_their_backend(RouteAnswers(answers=answers, unknown=NOT_FOUND), NONE, slow)
    assert "504 from nginx after 60 s (/function/invoke)" in found.summary


# Headers


def headers(
    front: Exchange,
    direct: Exchange | NotMeasured = NONE,
    version: Exchange | None = None,
    again: tuple[Exchange, ...] = (),
) -> Finding:
    found = replace(product(), plain_get=front)
    versions = PerAddress({"192.0.2.1": version}) if version else NONE
    return preserves_headers(found, direct, NONE, versions, again, NONE, TARGET)


def test_headers_that_do_not_arrive() -> None:
    direct = seen(x_bt_internal_trace_id="1", Date="now", X_Other="1", access_control_allow_origin="*")
    assert dropped_headers(seen(), direct) == ("x-bt-internal-trace-id", "x-other")
    assert headers(seen(), direct).verdict is Verdict.FAIL
    assert headers(seen(x_bt_internal_trace_id="2"), direct).verdict is Verdict.WARN
    assert dropped_headers(seen(502, NGINX), direct) == ()  # not the same answer
    assert dropped_headers(seen(404, NGINX), direct) == ()  # a gateway's own page
    assert headers(seen()).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (seen(Age="7"), True),
        (seen(Age="0"), False),
        (seen(Age="7" * 5_000), False),  # Python refuses to read a number of so many digits
        (seen(Age="٧"), False),
        (seen(X_Cache="Hit from cloudfront"), True),
        (seen(X_Cache="Miss from cloudfront"), False),
        (seen(CF_Cache_Status="HIT"), True),
        (seen(CF_Cache_Status="DYNAMIC"), False),
    ],
)
def test_signs_of_a_cache(answer: Exchange, kept: bool) -> None:
    assert answer.from_cache is kept
    assert (headers(seen(), version=answer).verdict is Verdict.WARN) is kept


def test_a_cache_that_was_empty_when_it_was_asked_first() -> None:
    assert headers(seen(), version=seen(), again=(seen(), seen(Age="1"))).verdict is Verdict.WARN
    assert headers(seen(), version=seen(), again=(seen(), seen())).verdict is Verdict.PASS


def test_an_id_that_comes_twice_is_from_a_cache() -> None:
    one, other = seen(x_bt_internal_trace_id="1"), seen(x_bt_internal_trace_id="2")
    assert repeated([one, other]) is None
    assert repeated([one, other, one]) is one


@pytest.mark.parametrize(
    ("location", "verdict"),
    [
        ("http://api.example.com/x", Verdict.FAIL),
        ("https://api.example.com/x", Verdict.PASS),
        ("/x", Verdict.PASS),
        ("http://elsewhere.example/x", Verdict.PASS),
        ("http://[", Verdict.PASS),
    ],
)
def test_redirects_keep_https(location: str, verdict: Verdict) -> None:
    assert headers(seen(301, "", Location=location)).verdict is verdict


# Streams


def stream(
    *pieces: float, status: int | None = 200, watched: float = 4.0, kind: str = "text/event-stream"
) -> StreamSeen:
    return StreamSeen(
        exchange=seen(status, "", trouble=Trouble.TIMEOUT, Content_Type=kind), pieces=pieces, watched=watched
    )


SLOW = PerAddress({"192.0.2.1": Roots(exchanges=(seen(200, after=2.5),))})


@pytest.mark.parametrize(
    ("front", "direct", "roots", "verdict"),
    [
        (stream(0.05, 0.1, 0.2), stream(0.01), NONE, Verdict.PASS),
        (stream(2.1), stream(0.01), NONE, Verdict.FAIL),
        (stream(), stream(0.01), NONE, Verdict.FAIL),
        (stream(status=None), stream(0.01), NONE, Verdict.FAIL),
        (stream(2.1, 2.2, 2.3), stream(0.01), NONE, Verdict.PASS),  # late, and flowing all the same
        (stream(2.6), stream(0.01), SLOW, Verdict.PASS),  # as late as every other answer
        (stream(0.05), NONE, NONE, Verdict.PASS),
        (stream(3.9), NONE, NONE, Verdict.INCONCLUSIVE),
        (stream(), stream(), NONE, Verdict.INCONCLUSIVE),
        (stream(status=None), NONE, NONE, Verdict.INCONCLUSIVE),
        (stream(status=404, kind="application/json"), NONE, NONE, Verdict.SKIP),
        (stream(status=429), NONE, NONE, Verdict.INCONCLUSIVE),
    ],
)
def test_streams(
    front: StreamSeen, direct: StreamSeen | NotMeasured, roots: PerAddress[Roots] | NotMeasured, verdict: Verdict
) -> None:
    assert streams_unbuffered(front, direct, roots, NONE).verdict is verdict


def beside(front: StreamSeen, *pieces: float, head_s: float = 0.02) -> StreamSeen:
    """With the same stream without compression."""
    plain = stream(*pieces)
    timing = replace(plain.exchange.timing, first_byte_s=head_s)
    return replace(front, plain=replace(plain, exchange=replace(plain.exchange, timing=timing)))


@pytest.mark.parametrize(
    ("front", "words"),
    [
        (beside(stream(), 0.05), "the first event comes not within 4 s, and after 50 ms without"),
        (beside(stream(2.5), 0.05), "the first event comes only after 2.5 s, and after 50 ms without"),
        (beside(stream(status=None), 0.05), "the first event comes not within 4 s"),
        (beside(stream(status=None)), "not even the status line comes within 4 s, and after 20 ms without"),
    ],
)
def test_what_holds_back_only_what_it_compresses_is_named(front: StreamSeen, words: str) -> None:
    found = streams_unbuffered(front, NONE, NONE, NONE)
    assert (found.verdict, words in found.summary) == (Verdict.FAIL, True), found.summary
    assert "holds events back until its buffer is full" in found.summary


@pytest.mark.parametrize(
    "front",
    [
        beside(stream()),  # a sparse stream, whose head comes with compression and without
        beside(stream(status=None), head_s=3.0),
        beside(stream(2.5), 2.4),
    ],
)
def test_what_is_late_without_compression_too_is_not_blamed_on_it(front: StreamSeen) -> None:
    assert "Accept-Encoding" not in streams_unbuffered(front, NONE, NONE, NONE).summary


# Rate limits

GOOD_ROOTS = PerAddress({"192.0.2.1": Roots(exchanges=(seen(200, "hi"),) * 6)})
LIMITED = seen(429, NGINX, Retry_After="30")
NO_LIMIT = OutboundLimit()


def setting(value: str | None) -> Limit | None:
    return Limit(value=value, where="in values.yaml line 7") if value is not None else None


def login(exchange: Exchange) -> ControlPlane:
    return ControlPlane(login=Login(exchange=exchange, keyed=True), routes=((LOGIN, seen(401)),), unknown=NOT_FOUND)


def throttled(
    roots: PerAddress[Roots] = GOOD_ROOTS,
    version: Exchange | None = None,
    plane: ControlPlane | NotMeasured = NONE,
    limit: OutboundLimit = NO_LIMIT,
) -> Finding:
    versions = PerAddress({"192.0.2.1": version}) if version else NONE
    return judge.not_throttled(judge.gathered(roots, (versions,), NONE, NONE, plane), roots, versions, limit)


def test_a_429_to_everything_fails_and_one_to_bursts_warns() -> None:
    everything = throttled(PerAddress({"192.0.2.1": Roots(exchanges=(LIMITED,) * 6)}))
    assert everything.verdict is Verdict.FAIL
    assert "all 6 requests were answered 429 by nginx, which asks to wait 30 s" in everything.summary
    some = throttled(version=LIMITED)
    assert some.verdict is Verdict.WARN
    assert "1 of 7 requests" in some.summary
    assert throttled(version=seen(200, "{}")).verdict is Verdict.PASS


def test_a_429_on_the_way_to_the_control_plane_names_the_outbound_limiter() -> None:
    found = throttled(plane=login(seen(429, "{}", Retry_After="17")))
    assert (found.verdict, found.hop) == (Verdict.FAIL, "api")
    assert "outbound limiter" in found.summary
    assert "17 s" in found.summary
    assert throttled(plane=login(LIMITED)).hop == "load balancer"
    assert "2 of them count towards the outbound limit" in throttled(plane=login(seen(200))).summary


@pytest.mark.parametrize(
    ("requests", "window", "words"),
    [
        ("0", "0", "turned off in values.yaml line 7"),
        ("500", None, "500 in 1 min, as set in values.yaml line 7"),
        ("500", "5", "500 in 5 min"),
        (None, "1", "by default 100 a minute"),
        ("many", None, "in values.yaml line 7 OUTBOUND_RATE_LIMIT_MAX_REQUESTS is set, but is no number"),
        ("-1", None, "MAX_REQUESTS is set, but is no number"),
        ("", None, "MAX_REQUESTS is set, but is no number"),
        ("100", "0", "WINDOW_MINUTES is set, but is no number above 0"),
        (None, "1m", "WINDOW_MINUTES is set, but is no number above 0"),
    ],
)
def test_the_declared_outbound_limit_is_held_against_what_it_may_be(
    requests: str | None, window: str | None, words: str
) -> None:
    limit = OutboundLimit(max_requests=setting(requests), window_minutes=setting(window))
    found = throttled(plane=login(seen(200)), limit=limit)
    assert words in found.summary
    assert found.verdict is (Verdict.WARN if "set, but" in words else Verdict.PASS)
    assert (found.remedy is not None) == (found.verdict is Verdict.WARN)


def test_a_nearly_used_up_limit_warns() -> None:
    assert throttled(version=seen(200, X_RateLimit_Limit="100", X_RateLimit_Remaining="3")).verdict is Verdict.WARN
    assert throttled(version=seen(200, X_RateLimit_Limit="100", X_RateLimit_Remaining="90")).verdict is Verdict.PASS
    assert throttled(version=seen(200, X_RateLimit_Limit="²", X_RateLimit_Remaining="3")).verdict is Verdict.PASS


def test_a_dead_target_is_not_called_unthrottled() -> None:
    dead = throttled(PerAddress({"192.0.2.1": Roots(exchanges=(seen(502, NGINX),) * 6)}))
    assert (dead.verdict, dead.because) == (Verdict.SKIP, "readiness.root-answers")


def long_requests(counted: TcpCounters | None, *, small: int | None = None, url: Exchange | None = None) -> Finding:
    """The finding where all that is long meets silence, the long URL what is given instead; `small` is the status of a
    long one in small packets."""
    quiet = Failure(phase=Phase.HEADERS, trouble=Trouble.TIMEOUT, detail="not complete within 6 s", counters=counted)
    silent = factories.exchange(url="https://api.example.com/v1/x", status=None, failure=quiet)
    trials = (
        RequestTrial(trait=Trait.URL, what="a URL of 4 KiB", exchange=url or silent),
        RequestTrial(trait=Trait.HEADERS, what="4 KiB of headers", exchange=silent),
        RequestTrial(trait=Trait.BODY, what="a body of 1 MiB", exchange=silent, size=MIB),
    )
    again = None if small is None else factories.exchange(status=small)
    found = ProductRequests(plain_get=seen(), plain_post=seen(), trials=trials, in_small_packets=again)
    return accepts_product_requests(found, NONE)


@pytest.mark.parametrize(
    ("counted", "small", "words"),
    [
        (TcpCounters(unacknowledged=3, resent=6), None, "lost on the way to"),
        (TcpCounters(unacknowledged=3, resent=6), 404, "in small packets the same request is answered"),
        (TcpCounters(unacknowledged=0, resent=0, out_of_order=2), None, "lost on the way from"),
        (None, 404, "in small packets the same request is answered"),
        (None, None, "a limit of sizes would answer or hang up"),
    ],
)
def test_all_that_is_long_and_meets_silence_is_lost_packets(
    counted: TcpCounters | None, small: int | None, words: str
) -> None:
    found = long_requests(counted, small=small)
    assert (found.verdict, found.hop) == (Verdict.FAIL, "network")
    assert words in found.summary
    assert found.remedy is not None
    assert "MTU" in found.remedy.text


def test_what_arrived_or_is_answered_in_one_form_is_no_matter_of_packets() -> None:
    arrived = TcpCounters(unacknowledged=0, resent=0)
    assert "large packets" not in long_requests(arrived).summary
    assert "large packets" not in long_requests(None, url=seen(414, NGINX)).summary


def answers_at_once(*tried: tuple[int, bool]) -> Finding:
    """The finding where so many of 40 answers came at each try, and whether it stalled."""
    known = tuple(
        ManyAnswers(label="192.0.2.1", asked=40, begun=begun, received=begun * 200, stalled=stalled)
        for begun, stalled in tried
    )
    return accepts_product_requests(
        ProductRequests(plain_get=seen(), plain_post=seen(), trials=(), answers=known), NONE
    )


def test_answers_that_stall_unless_packets_are_small_are_lost_on_the_way_back() -> None:
    found = answers_at_once((22, True), (40, False))
    assert (found.verdict, found.hop) == (Verdict.FAIL, "network")
    assert "22 of 40 answers came, in small packets all of them" in found.summary
    assert len(found.answer) <= 90


@pytest.mark.parametrize(
    "tried",
    [
        (),
        ((40, False),),
        ((1, False),),  # it closes after each answer
        ((1, True), (1, True)),  # it answers one request at a time
        ((40, True), (40, False)),
    ],
)
def test_servers_that_do_not_answer_many_requests_at_once_raise_no_alarm(tried: tuple[tuple[int, bool], ...]) -> None:
    assert answers_at_once(*tried).verdict is Verdict.PASS
