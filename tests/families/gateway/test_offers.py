"""What hops do with slow answers, HTTP/2, compression, WebSockets, paths and redirects, judged by hand."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Timing, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.gateway.facts.protocols import Compressed, Http2, Shared, Upgrade
from btdiag.families.gateway.facts.routes import PATHS, ROUTE_CLASSES, PathAnswers, RouteAnswers
from btdiag.families.gateway.facts.streams import HeldStream, StreamSeen, StreamSilence, readable_bytes, says_packed
from btdiag.families.gateway.judge.headers import added_headers, leads_astray
from btdiag.families.gateway.judge.paths import paths_arrive_unchanged
from btdiag.families.gateway.judge.protocols import (
    compressed_answers_unpack,
    http2_works_where_offered,
    websockets_pass,
)
from btdiag.families.gateway.judge.silent_answers import silent_answers_are_awaited
from btdiag.families.gateway.judge.streams import streams_unbuffered
from tests import factories

NONE = NotMeasured(reason="not asked for", skipped=True)
TARGET = Target(url="https://api.example.com", scheme="https", host="api.example.com", port=443)
NGINX = "<html><body><hr><center>nginx/1.22.1</center></body></html>"
JSON = '{"version":"1"}'


def seen(status: int | None = 200, body: str = JSON, trouble: Trouble | None = None, **headers: str) -> Exchange:
    failing = trouble or (None if status else Trouble.CLOSED)
    return factories.exchange(
        url="https://api.example.com/version",
        status=status,
        body=body,
        headers=factories.named(headers),
        failure=Failure(phase=Phase.BODY, trouble=failing, detail="as seen") if failing else None,
        timing=Timing(first_byte_s=0.01, total_s=1.0),
    )


# Silence


def held(
    over: float, last: float, *, end: Trouble | None, longest: float = 0.1, gap: float = 0.1, status: int = 200
) -> HeldStream:
    return HeldStream(exchange=seen(status, "", end), last_s=last, longest_s=longest, gap_s=gap, over_s=over)


OPEN = held(68.0, 1.0, end=Trouble.TIMEOUT)
CUT = held(61.0, 1.0, end=Trouble.CLOSED)
ENDED = held(4.0, 4.0, end=None, longest=1.0)


@pytest.mark.parametrize(
    ("front", "direct", "verdict", "words"),
    [
        ((OPEN, OPEN), OPEN, Verdict.PASS, "silent for 67.0 s"),
        ((OPEN, OPEN), None, Verdict.PASS, "silent for 67.0 s"),
        ((CUT, CUT), OPEN, Verdict.WARN, "broken off after 60.0 s of silence, 2 of 2 times: functions"),
        ((CUT, CUT), None, Verdict.WARN, "--backend URL would tell"),
        ((CUT, CUT), CUT, Verdict.SKIP, "the API server itself ends"),
        ((CUT, CUT), held(0.1, 0.1, end=None, status=401), Verdict.WARN, "--backend URL would tell"),
        ((CUT, CUT), held(61.2, 61.2, end=None), Verdict.SKIP, "the API server itself ends"),
        ((CUT, CUT), held(90.0, 1.0, end=None), Verdict.WARN, "60.0 s"),
        ((held(6.0, 1.0, end=Trouble.CLOSED),) * 2, OPEN, Verdict.FAIL, "after 5.0 s of silence"),
        ((held(6.0, 1.0, end=Trouble.CLOSED),) * 2, None, Verdict.WARN, "after 5.0 s of silence"),
        ((CUT, OPEN), OPEN, Verdict.INCONCLUSIVE, "no common age"),
        ((CUT, held(31.0, 1.0, end=Trouble.RESET)), OPEN, Verdict.INCONCLUSIVE, "2 of 2 streams"),
        ((ENDED, ENDED), OPEN, Verdict.FAIL, "after 4.0 s though events flow"),
        ((held(61.0, 1.0, end=None),) * 2, OPEN, Verdict.WARN, "after 60.0 s of silence"),
        ((ENDED, OPEN), OPEN, Verdict.PASS, "silent for 67.0 s"),  # the API ended one of them
        ((ENDED, ENDED), ENDED, Verdict.SKIP, "never silent for longer than 1.0 s"),
        ((held(15.0, 14.9, end=Trouble.CLOSED),) * 2, OPEN, Verdict.FAIL, "after 15.0 s though events flow"),
        ((held(60.1, 60.0, end=None, status=504),) * 2, OPEN, Verdict.WARN, "answered 504 after 60.1 s of silence"),
        # a hop that buffers lets go of what it has when it gives up
        ((held(62.0, 62.0, end=Trouble.CLOSED, longest=62.0, gap=62.0),) * 2, OPEN, Verdict.WARN, "62.0 s of silence"),
        ((held(0.1, 0.1, end=None, status=502), OPEN), OPEN, Verdict.SKIP, "is answered 502"),
        ((held(0.1, 0.1, end=None, status=429),) * 2, OPEN, Verdict.INCONCLUSIVE, "rate limited"),
    ],
)
def test_how_long_a_silent_answer_is_awaited(
    front: tuple[HeldStream, ...], direct: HeldStream | None, verdict: Verdict, words: str
) -> None:
    found = silent_answers_are_awaited(StreamSilence(front=front, direct=direct, watched_s=68.0))
    assert found.verdict is verdict
    assert words in found.summary


def test_a_hop_that_lets_go_of_a_stream_only_at_its_end_had_held_it_back() -> None:
    silent = StreamSeen(exchange=seen(None, "", Trouble.TIMEOUT), pieces=(), watched=4.0)
    late = held(62.0, 62.0, end=Trouble.CLOSED, longest=62.0, gap=62.0)
    found = streams_unbuffered(silent, NONE, NONE, StreamSilence(front=(late, late), direct=None, watched_s=68.0))
    assert found.verdict is Verdict.FAIL
    whole = StreamSilence(front=(replace(late, exchange=seen()),) * 2, direct=None, watched_s=68.0)
    assert streams_unbuffered(silent, NONE, NONE, whole).verdict is Verdict.INCONCLUSIVE  # the API may be late itself


# HTTP/2


def over_http2(status: int | None = 200, **headers: Any) -> Exchange:
    return replace(seen(status, **headers), http_version="HTTP/2" if status else None)


@pytest.mark.parametrize(
    ("plain", "answers", "verdict", "words"),
    [
        (seen(), (over_http2(),) * 3, Verdict.PASS, "HTTP/2 is offered and works; HTTP/3 is not advertised"),
        (seen(), (), Verdict.PASS, "HTTP/2 is not offered, which is no fault"),
        (seen(Alt_Svc='h3=":443"'), (), Verdict.PASS, 'not tried: h3=":443"'),
        (seen(), (over_http2(None),) * 3, Verdict.FAIL, "3 of 3"),
        (seen(), (over_http2(421),) * 3, Verdict.FAIL, "421"),
        (seen(), (over_http2(), over_http2(None)), Verdict.WARN, "1 of 2"),
        (seen(502, NGINX), (over_http2(),) * 3, Verdict.INCONCLUSIVE, "over HTTP/1.1 too"),
        (seen(), (over_http2(429),) * 3, Verdict.INCONCLUSIVE, "rate limited"),
    ],
)
def test_http2(plain: Exchange, answers: tuple[Exchange, ...], verdict: Verdict, words: str) -> None:
    found = http2_works_where_offered(Http2(plain=plain, answers=answers), NONE)
    assert found.verdict is verdict
    assert words in found.summary


@pytest.mark.parametrize(
    ("shared", "alone", "verdict"),
    [
        (seen(200), seen(200), Verdict.PASS),
        (seen(421), seen(200), Verdict.PASS),
        (seen(404), seen(200), Verdict.WARN),
        (seen(None), seen(200), Verdict.PASS),
        (seen(429), seen(200), Verdict.PASS),
    ],
)
def test_two_hosts_on_one_connection(shared: Exchange, alone: Exchange, verdict: Verdict) -> None:
    offered = Http2(plain=seen(), answers=(over_http2(),))
    other = Shared(host="gateway.example.com", shared=shared, alone=alone)
    assert http2_works_where_offered(offered, other).verdict is verdict


# Compression


@pytest.mark.parametrize(
    ("packed", "plain", "verdict"),
    [
        (seen(), seen(), Verdict.PASS),
        (seen(Content_Encoding="gzip"), seen(), Verdict.PASS),
        (seen(200, "", Trouble.PROTOCOL, Content_Encoding="gzip"), seen(), Verdict.FAIL),
        (seen(200, "\\x1f\\x8b", Content_Encoding="gzip"), seen(), Verdict.FAIL),
        (seen(200, "...", Content_Encoding="br"), seen(), Verdict.FAIL),
        (seen(Content_Encoding="gzip"), seen(Content_Encoding="gzip"), Verdict.WARN),
        (seen(404, "not found"), seen(404, "not found"), Verdict.PASS),  # no such route: nothing to unpack
        (seen(200, "", Trouble.PROTOCOL), seen(None), Verdict.PASS),  # broken either way: not for its packing
        (seen(429), seen(), Verdict.INCONCLUSIVE),
    ],
)
def test_compression(packed: Exchange, plain: Exchange, verdict: Verdict) -> None:
    assert compressed_answers_unpack(Compressed(packed=packed, plain=plain)).verdict is verdict


# WebSockets


@pytest.mark.parametrize(
    ("front", "direct", "verdict"),
    [
        (seen(101), seen(101), Verdict.PASS),
        (seen(101), None, Verdict.PASS),
        (seen(404), seen(101), Verdict.WARN),
        (seen(None), seen(101), Verdict.WARN),
        (seen(401), seen(401), Verdict.SKIP),
        (seen(401), None, Verdict.SKIP),
        (seen(429), seen(101), Verdict.INCONCLUSIVE),
    ],
)
def test_websockets(front: Exchange, direct: Exchange | None, verdict: Verdict) -> None:
    assert websockets_pass(Upgrade(front=front, direct=direct), NONE).verdict is verdict


@pytest.mark.parametrize(
    ("front", "plain", "verdict"),
    [
        (seen(400, NGINX), seen(401), Verdict.WARN),
        (seen(403, "", Server="envoy"), seen(404, "{}"), Verdict.WARN),
        (seen(426, "{}", Upgrade="websocket"), seen(426, "{}"), Verdict.WARN),  # told to do what it did
        (seen(502, NGINX), seen(401), Verdict.SKIP),  # the API may hang up on whoever has no key
        (seen(None), seen(401), Verdict.SKIP),
        (seen(401), seen(404), Verdict.SKIP),
        (seen(404, NGINX), seen(404, NGINX), Verdict.SKIP),
    ],
)
def test_websockets_without_a_backend(front: Exchange, plain: Exchange, verdict: Verdict) -> None:
    assert websockets_pass(Upgrade(front=front, direct=None, plain=plain), NONE).verdict is verdict


def test_a_refusal_that_is_the_apis_own_is_no_hops() -> None:
    found = Upgrade(front=seen(400, NGINX), direct=seen(400, NGINX), plain=seen(401))
    assert websockets_pass(found, NONE).verdict is Verdict.SKIP


def test_a_route_that_is_dead_altogether_is_no_matter_of_websockets() -> None:
    answers = tuple((route, seen(503, NGINX)) for route in ROUTE_CLASSES)
    routes = RouteAnswers(answers=answers, unknown=seen(404))
    found = websockets_pass(Upgrade(front=seen(503, NGINX), direct=seen(101)), routes)
    assert (found.verdict, found.because) == (Verdict.SKIP, "gateway.routes-reach-their-backend")


# Paths and redirects


def paths(*answers: Exchange) -> PathAnswers:
    return PathAnswers(answers=tuple(zip(PATHS, answers, strict=True)))


OWN = paths(seen(404), seen(404), seen(404))


@pytest.mark.parametrize(
    ("front", "verdict", "words"),
    [
        (OWN, Verdict.PASS, "answered as by the API server itself"),
        (paths(seen(200), seen(404), seen(404)), Verdict.PASS, "//version is put right"),
        (paths(seen(404), seen(404), seen(401)), Verdict.WARN, "GET /v1%2Fproject is answered 401"),
        (paths(seen(400, NGINX), seen(404), seen(404)), Verdict.WARN, "GET //version is answered 400 from nginx"),
        (paths(seen(None), seen(404), seen(404)), Verdict.PASS, ""),  # no answer says nothing of a path
        (paths(seen(429), seen(404), seen(404)), Verdict.INCONCLUSIVE, "rate limited"),
    ],
)
def test_paths(front: PathAnswers, verdict: Verdict, words: str) -> None:
    found = paths_arrive_unchanged(front, OWN)
    assert found.verdict is verdict
    assert words in found.summary


@pytest.mark.parametrize(
    ("location", "wrong"),
    [
        ("/version", ""),
        ("https://api.example.com/version", ""),
        ("https://www.braintrust.dev/docs", ""),
        ("http://api.example.com/version", "plain http"),
        ("https://api.example.com:8443/version", "another port"),
        ("http://10.0.0.7:8000/version", "the API server's own address"),
        ("http://10.0.0.8/version", "a host of the inside"),
        ("http://braintrust-api/version", "a host of the inside"),
        ("http://api.braintrust.svc/version", "a host of the inside"),
        ("https://[", ""),
        ("https://api.example.com:x/", ""),
    ],
)
def test_where_redirects_lead(location: str, wrong: str) -> None:
    target = replace(TARGET, backend="http://10.0.0.7:8000")
    assert leads_astray(seen(307, "", Location=location), target) == wrong


def test_a_target_of_the_inside_may_redirect_to_the_inside() -> None:
    target = replace(TARGET, scheme="http", host="10.0.0.1", port=80)
    assert leads_astray(seen(307, "", Location="http://10.0.0.9/version"), target) == ""
    assert leads_astray(seen(200), target) == ""


def test_added_headers_are_told() -> None:
    front = seen(X_Frame_Options="DENY", Via="1.1 x", Content_Type="text/plain", Access_Control_Max_Age="1")
    assert added_headers(front, seen(Content_Type="text/plain")) == ("x-frame-options",)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (held(15.0, 14.9, end=Trouble.CLOSED), "no timer of silence"),
        (held(15.0, 13.5, end=Trouble.CLOSED, longest=2.0, gap=2.0), "no timer of silence"),  # it talks every 2 s
        (replace(held(4.0, 2.5, end=Trouble.CLOSED, longest=0.5, gap=0.5), events=6), "no timer of silence"),  # Envoy's
        (replace(held(64.0, 4.0, end=Trouble.CLOSED, longest=1.0), events=6), "wait for a silent answer"),
        (held(61.0, 1.0, end=Trouble.CLOSED), "wait for a silent answer"),
    ],
)
def test_a_timer_of_the_whole_answer_has_another_remedy_than_one_of_silence(one: HeldStream, words: str) -> None:
    found = silent_answers_are_awaited(StreamSilence(front=(one, one), direct=OPEN, watched_s=68.0))
    assert found.remedy is not None
    assert words in found.remedy.text
    assert 0 < len(found.remedy.action) <= 140
    assert len(found.answer) <= 90


# What compresses a stream


def watched(*pieces: float, plain: StreamSeen | None = None) -> StreamSeen:
    answer = seen(200, "", Trouble.TIMEOUT, Content_Type="text/event-stream")
    return StreamSeen(exchange=replace(answer, status=200), pieces=pieces, watched=4.0, plain=plain)


HELD_BACK = StreamSilence(
    front=(held(68.0, 0.1, end=Trouble.TIMEOUT), replace(OPEN, events=13)), direct=None, watched_s=68.0
)


@pytest.mark.parametrize(
    ("front", "silence", "verdict"),
    [
        (watched(plain=watched(0.1, 1.1)), NONE, Verdict.FAIL),
        (watched(3.0, plain=watched(0.1)), NONE, Verdict.FAIL),
        (watched(), HELD_BACK, Verdict.FAIL),
        (watched(3.0, plain=watched(2.9)), NONE, Verdict.INCONCLUSIVE),
        (watched(plain=watched()), NONE, Verdict.INCONCLUSIVE),
        (watched(0.1, 1.1, plain=None), NONE, Verdict.PASS),
        (watched(), replace(HELD_BACK, front=(OPEN, OPEN)), Verdict.INCONCLUSIVE),
    ],
)
def test_an_encoder_that_holds_events_back(
    front: StreamSeen, silence: StreamSilence | NotMeasured, verdict: Verdict
) -> None:
    found = streams_unbuffered(front, NONE, NONE, silence)
    assert found.verdict is verdict
    if verdict is Verdict.FAIL:
        assert "Accept-Encoding: gzip" in found.summary
        assert len(found.answer) <= 90


def _packed(*, flushed: bool) -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(b"data: 1\n\n") + (packer.flush(zlib.Z_SYNC_FLUSH) if flushed else b"")


@pytest.mark.parametrize("flushed", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_what_can_be_read_of_a_packed_stream(flushed: bool, chunked: bool) -> None:
    body, head = _packed(flushed=flushed), b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip"
    if chunked:
        head += b"\r\nTransfer-Encoding: chunked"
        body = b"%x\r\n" % len(body) + body + b"\r\n"
    assert says_packed(head)
    assert readable_bytes(head, body) == (len(b"data: 1\n\n") if flushed else 0)


def test_what_is_no_packed_stream_is_counted_as_it_is() -> None:
    assert not says_packed(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream")
    assert readable_bytes(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip", b"plain") == 5
    assert readable_bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b"zz\r\n") == 0
