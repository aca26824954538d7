"""HTTPS records as DNS tells them, and what of them disagrees with what programs use."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotAsked, NotMeasured
from btdiag.core.resolution import DnsAnswer, LookupOutcome
from btdiag.core.target import Mode, Resolver, Target
from btdiag.families.browser.facts import BrowserHandshake, HttpsRecord, PlaceRecords
from btdiag.families.browser.judge.records import https_record_agrees
from btdiag.families.browser.probe import records as probe
from btdiag.families.lna.facts import BUCKET, TARGET_ITSELF, CalledHost
from btdiag.net.nameserver import NameServer

TARGET = Target(url="https://api.corp.example", scheme="https", host="api.corp.example", port=443)
HTTP2 = BrowserHandshake(label="203.0.113.5", version="TLSv1.3", cipher="x", alpn="h2")
HTTP1 = replace(HTTP2, alpn=None)
BROKEN = replace(HTTP2, failure=Failure(phase=Phase.TLS, trouble=Trouble.ALERT, detail="-"))
HERE = PlaceRecords(
    what=TARGET_ITSELF,
    host=TARGET.host,
    port=443,
    name=TARGET.host,
    server="192.0.2.53:53",
    said="addresses",
    answered=True,
    addresses=("203.0.113.5", "2606:4700::5"),
)


def judged(*records: HttpsRecord, tried: BrowserHandshake | NotMeasured = HTTP2, **more: object) -> Finding:
    place = replace(HERE, records=records, **more)  # type: ignore[arg-type]
    return https_record_agrees((place,), tried, TARGET)


CASES = [  # record, what a handshake came to, verdict, words
    (HttpsRecord(priority=1, alpn=("h2",)), HTTP2, "pass", "alpn h2"),
    (HttpsRecord(priority=1, alpn=("h3", "h2"), hints=("203.0.113.5",), ech=True), HTTP2, "pass", "ech"),
    (HttpsRecord(priority=1, hints=("2606:4700::0:5",)), HTTP2, "pass", "hints"),
    (HttpsRecord(priority=1, hints=("198.51.100.9",)), HTTP2, "warn", "hints at 198.51.100.9"),
    (HttpsRecord(priority=1, hints=("10.0.0.9",)), HTTP2, "warn", "another address space (local)"),
    (HttpsRecord(priority=1, port=8443), HTTP2, "warn", "port 8443"),
    (HttpsRecord(priority=1, port=443), HTTP2, "pass", "port 443"),
    (HttpsRecord(priority=1, alpn=("h9",), default_alpn=False), HTTP2, "warn", "lists h9 only"),
    (HttpsRecord(priority=1, alpn=("h9",)), HTTP2, "pass", "h9"),
    (HttpsRecord(priority=1, alpn=("h2",), default_alpn=False), HTTP1, "warn", "excludes the default"),
    (HttpsRecord(priority=1, alpn=("h2",), default_alpn=False), HTTP2, "pass", "h2"),
    (HttpsRecord(priority=1, alpn=("h2",), default_alpn=False), BROKEN, "pass", "h2"),
    (HttpsRecord(priority=1, alpn=("h2",), default_alpn=False), NotMeasured(reason="-"), "pass", "h2"),
    (HttpsRecord(priority=0, target="cdn.example", port=1), HTTP2, "pass", "target cdn.example"),
]


@pytest.mark.parametrize(("record", "tried", "verdict", "words"), CASES)
def test_each_record_is_held_against_what_programs_use(
    record: HttpsRecord, tried: BrowserHandshake | NotMeasured, verdict: str, words: str
) -> None:
    found = judged(record, tried=tried)
    assert str(found.verdict) == verdict, found.summary
    assert words in found.summary
    if verdict == "warn":
        assert found.remedy is not None
        assert all((found.hop, found.owner, found.expected, found.seen, found.evidence, found.sources))
        assert len(found.answer) <= 90
        assert len(found.remedy.action) <= 140


def test_no_record_is_no_fault_and_an_unanswered_question_is_told() -> None:
    assert judged().summary.startswith("no HTTPS record for api.corp.example")
    silent = judged(answered=False, said="no answer")
    assert silent.verdict is Verdict.PASS
    assert "gives no answer to that type (no answer)" in silent.summary


def test_all_disagreements_are_counted() -> None:
    assert "2 disagreements" in judged(HttpsRecord(priority=1, port=1, hints=("198.51.100.9",))).summary


PARSED = [
    ("1 . alpn=h2,h3 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1", ("h2", "h3"), ("192.0.2.1", "2001:db8::1"), None, True),
    ("1 svc.example. alpn=h2 no-default-alpn port=8443 ech=AAT+DQAA", ("h2",), (), 8443, False),
]


@pytest.mark.parametrize(("text", "alpn", "hints", "port", "default"), PARSED)
def test_a_record_is_read(
    text: str, alpn: tuple[str, ...], hints: tuple[str, ...], port: int | None, default: bool
) -> None:
    record = probe.parsed(text)
    assert record is not None
    assert (record.alpn, record.hints, record.port, record.default_alpn) == (alpn, hints, port, default)
    assert record.ech is ("ech" in text)


@given(st.text(max_size=60))
def test_what_is_no_record_is_left_out(text: str) -> None:
    found = probe.parsed(text)
    assert found is None or found.priority >= 0


PLACE = CalledHost(what=TARGET_ITSELF, url="https://api.corp.example/version", addresses=("203.0.113.5",))


def measured(
    monkeypatch: pytest.MonkeyPatch, answers: dict[str, DnsAnswer], *places: CalledHost, **more: object
) -> tuple[tuple[PlaceRecords, ...], list[str]]:
    asked = []

    async def ask(server: NameServer, name: str, qtype: str) -> DnsAnswer:
        asked.append(f"{name} {qtype} at {server}")
        return answers[str(server)]

    monkeypatch.setattr(probe, "ask", ask)
    monkeypatch.setattr(probe, "configured_servers", lambda: ((NameServer("192.0.2.1"), NameServer("192.0.2.2")), ()))
    target = replace(TARGET, **more)  # type: ignore[arg-type]
    return asyncio.run(probe.https_records(target, places)), asked


def test_the_next_server_is_asked_where_the_first_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    said = DnsAnswer(qtype="HTTPS", outcome=LookupOutcome.ADDRESSES, addresses=("1 . alpn=h2", "not a record"))
    answers = {
        "192.0.2.1:53": DnsAnswer(qtype="HTTPS", outcome=LookupOutcome.TIMEOUT),
        "192.0.2.2:53": said,
    }
    bucket = CalledHost(what=BUCKET, url="https://bucket.corp.example:8443/a?X=1")
    ((own, other), asked) = measured(monkeypatch, answers, PLACE, bucket)
    assert (own.server, own.answered, len(own.records)) == ("192.0.2.2:53", True, 1)
    assert "_8443._https.bucket.corp.example HTTPS at 192.0.2.2:53" in asked
    assert other.what == BUCKET


def test_what_nobody_looks_up_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    literal = CalledHost(what=TARGET_ITSELF, url="https://203.0.113.5/version")
    for place, more in (
        (literal, {}),
        (replace(PLACE, url="https://localhost/version"), {}),
        (replace(PLACE, url="http://api.corp.example/version"), {}),
        (replace(PLACE, proxy="http://p.example:1"), {}),
        (PLACE, {"resolve": ("203.0.113.5",)}),
    ):
        with pytest.raises(NotAsked, match="no https place"):
            measured(monkeypatch, {}, place, **more)
    resolvers = (Resolver(label="x", address="192.0.2.9:5353"),)
    nothing = DnsAnswer(qtype="HTTPS", outcome=LookupOutcome.NO_DATA)
    (found,), _ = measured(monkeypatch, {"192.0.2.9:5353": nothing}, PLACE, resolvers=resolvers)
    assert (found.said, found.records) == ("no such record", ())


def test_a_system_that_does_not_tell_its_servers_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "configured_servers", lambda: ((), ()))
    with pytest.raises(NotAsked, match="does not tell"):
        asyncio.run(probe.https_records(TARGET, (PLACE,)))
    assert probe._planned(TARGET, Mode()) == ["an HTTPS query (type 65) for the host of https://api.corp.example"]
