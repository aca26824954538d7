"""Six connections over HTTP/1.1, and event streams that hold them, on plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Timing, Trouble
from btdiag.core.finding import Owner, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.families.browser.facts import BrowserHandshake
from btdiag.families.browser.judge.answers import page_gets_its_answers
from btdiag.families.gateway.facts.streams import StreamSeen
from btdiag.families.lna.facts import GATEWAY, CalledHost

HUNG_UP = Failure(phase=Phase.BODY, trouble=Trouble.TIMEOUT, detail="no end within 4 s")
HELD = StreamSeen(
    exchange=Exchange(
        method="GET",
        url="https://api.corp.test/sse",
        label="192.0.2.1",
        started_at="2026-11-01T00:00:00Z",
        request_headers=(),
        status=200,
        headers=(("Content-Type", "text/event-stream"),),
        failure=HUNG_UP,
        timing=Timing(first_byte_s=0.1),
    ),
    pieces=(0.1,),
    watched=4.0,
)
HTTP1 = BrowserHandshake(label="192.0.2.1", version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256", alpn="http/1.1")
NO_BROWSER = NotMeasured(reason="no browser was found on this machine", skipped=True)


def with_exchange(**more: object) -> StreamSeen:
    return replace(HELD, exchange=replace(HELD.exchange, **more))  # type: ignore[arg-type]


LATE = with_exchange(timing=Timing(first_byte_s=2.5))
ENDED = with_exchange(failure=None)
NO_STREAM = with_exchange(status=404)
HTTP3 = with_exchange(headers=(*HELD.exchange.headers, ("Alt-Svc", 'h3=":443"; ma=86400')))
BROKEN_OFF = replace(HTTP1, alpn=None, failure=Failure(phase=Phase.TLS, trouble=Trouble.RESET, detail="reset"))


@pytest.mark.parametrize(
    ("tried", "stream", "verdict"),
    [
        (HTTP1, HELD, Verdict.WARN),
        (replace(HTTP1, alpn=None), HELD, Verdict.WARN),
        (replace(HTTP1, alpn="h2"), HELD, Verdict.SKIP),
        (BROKEN_OFF, HELD, Verdict.SKIP),
        (HTTP1, LATE, Verdict.SKIP),
        (HTTP1, ENDED, Verdict.SKIP),
        (HTTP1, NO_STREAM, Verdict.SKIP),
        (HTTP1, HTTP3, Verdict.SKIP),
        (HTTP1, NO_BROWSER, Verdict.SKIP),
        (NO_BROWSER, HELD, Verdict.SKIP),
    ],
)
def test_streams_take_all_connections(
    tried: BrowserHandshake | NotMeasured, stream: StreamSeen | NotMeasured, verdict: Verdict
) -> None:
    found = page_gets_its_answers(NO_BROWSER, tried, stream, ())
    assert found.verdict is verdict
    if verdict is Verdict.WARN:
        assert found.owner is Owner.LOAD_BALANCER
        assert len(found.answer) <= 90
        assert found.remedy is not None
        assert len(found.remedy.action) <= 140
    else:
        assert found.summary == NO_BROWSER.reason


def test_what_blocks_the_browser_is_named_with_what_blocks_it_elsewhere() -> None:
    blocked = NotMeasured(reason="no address accepts TCP", by="connection.tcp-connects", also_by=("dns.resolves",))
    found = page_gets_its_answers(blocked, HTTP1, NO_BROWSER, NO_BROWSER)
    assert (found.verdict, found.because, found.unless) == (Verdict.SKIP, blocked.by, blocked.also_by)


NO_ADDRESS = CalledHost(what=GATEWAY, url="https://gateway.corp.test/health", nameless=True)


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        (NO_ADDRESS, Verdict.FAIL),
        (replace(NO_ADDRESS, nameless=False), Verdict.SKIP),
        (replace(NO_ADDRESS, url="http://gateway.corp.test/health"), Verdict.SKIP),
    ],
)
def test_a_name_without_an_address_needs_no_browser(place: CalledHost, verdict: Verdict) -> None:
    found = page_gets_its_answers(NO_BROWSER, NO_BROWSER, NO_BROWSER, (place,))
    assert found.verdict is verdict
    assert "gateway.corp.test" in found.summary or verdict is Verdict.SKIP
    assert len(found.answer) <= 90
