"""Uploads that take long: what is given up, by whom, and what cannot be seen."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange, Timing, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotAsked, NotMeasured
from btdiag.core.target import Mode, Way
from btdiag.families.gateway.facts.requests import SlowUpload
from btdiag.families.gateway.judge.uploads import slow_uploads_pass
from btdiag.families.gateway.probe import uploads
from btdiag.net.limits import Limits
from btdiag.net.request import Shape
from btdiag.net.wire import Wire
from tests.families.keepalive.test_plan import NoWaits
from tests.families.readiness.test_judge import seen
from tests.support.serving import http_target, route_to, serving

DEEP = Mode(deep=True)
AT_ONCE = seen(404, "{}")
GIVEN_UP = seen(408, "<center>nginx/1.22.1</center>")
EARLY = replace(AT_ONCE, timing=Timing(first_byte_s=0.0, total_s=0.1))


@pytest.mark.parametrize(
    ("slow", "direct", "verdict", "words"),
    [
        (AT_ONCE, None, Verdict.PASS, "takes 60 s is answered"),
        (GIVEN_UP, None, Verdict.WARN, "408 from nginx"),
        (replace(GIVEN_UP, timing=EARLY.timing), AT_ONCE, Verdict.WARN, "after 0.1 s"),
        (GIVEN_UP, GIVEN_UP, Verdict.WARN, "as at the API server itself"),
        (seen(trouble=Trouble.RESET), AT_ONCE, Verdict.WARN, "a reset"),
        (seen(trouble=Trouble.TIMEOUT), None, Verdict.INCONCLUSIVE, "no answer"),
        (EARLY, None, Verdict.SKIP, "answered too early"),
        (seen(429), None, Verdict.INCONCLUSIVE, ""),
    ],
)
def test_what_becomes_of_a_slow_upload(slow: Exchange, direct: Exchange | None, verdict: Verdict, words: str) -> None:
    found = slow_uploads_pass(SlowUpload(at_once=AT_ONCE, slow=slow, direct=direct, over_s=60.0), DEEP)
    assert found.verdict is verdict
    assert words in found.summary
    if verdict is Verdict.WARN:
        assert found.remedy is not None
        assert found.remedy.snippets
        assert (found.hop == "api") is (direct is GIVEN_UP)
        assert len(found.answer) <= 90


def test_an_upload_that_fails_at_once_too_says_nothing() -> None:
    broken = SlowUpload(at_once=seen(trouble=Trouble.RESET), slow=GIVEN_UP, direct=None, over_s=60.0)
    assert slow_uploads_pass(broken, DEEP).verdict is Verdict.SKIP


@pytest.mark.parametrize(
    ("missing", "mode", "verdict"),
    [
        (NotMeasured(reason="x", by="readiness.root-answers"), DEEP, Verdict.SKIP),
        (NotMeasured(reason="x", skipped=True), DEEP, Verdict.SKIP),
        (NotMeasured(reason="x"), DEEP, Verdict.INCONCLUSIVE),
        (NotMeasured(reason="x"), Mode(), Verdict.SKIP),
    ],
)
def test_what_was_not_measured(missing: NotMeasured, mode: Mode, verdict: Verdict) -> None:
    found = slow_uploads_pass(missing, mode)
    assert found.verdict is verdict
    assert ("--deep" in found.summary) is not mode.deep


async def _hurried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that reads a whole body within 0.2 s, or gives it up."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
    try:
        await asyncio.wait_for(reader.readexactly(length), 0.2)
        status = b"404 Not Found"
    except TimeoutError:
        status = b"408 Request Timeout"
    writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


def test_a_body_is_sent_over_the_seconds_asked_for() -> None:
    async def run() -> tuple[int | None, ...]:
        async with serving(_hurried) as port:
            wire, way = Wire(http_target(port), user_agent="x"), Way(route=route_to(port), verify=True)
            url, limits = f"http://127.0.0.1:{port}/", Limits(total=5)
            asked = [
                wire.exchange(way, "POST", url, body=b"x" * 500, shape=Shape(over_s=s), limits=limits) for s in (0, 2)
            ]
            return tuple(one.status for one in await asyncio.gather(*asked))

    assert asyncio.run(run()) == (404, 408)


def test_the_measurement_asks_both_ways() -> None:
    async def run(mode: Mode) -> SlowUpload:
        async with serving(_hurried) as port:
            target = replace(http_target(port), backend_keepalive=0.1, backend=f"http://127.0.0.1:{port}")
            wire, way = Wire(target, user_agent="x"), Way(route=route_to(port), verify=True)
            return await uploads.slow_upload(way, wire, target, mode, Passing())

    found = asyncio.run(run(DEEP))
    assert (found.at_once.status, found.slow.status) == (404, 408)
    assert found.direct is not None
    assert found.direct.status == 408
    with pytest.raises(NotAsked):
        asyncio.run(run(Mode()))


class Passing(NoWaits):
    """Waits that are told and not waited."""

    async def idle(self, seconds: float, what: str) -> None:
        """Nothing: what is waited for takes its time itself."""
