"""Audit headers: what can be decoded, what cannot and why, and which finding follows."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.exchange import Failure, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.families.audit.facts import NAMES, Audit
from btdiag.families.audit.judge import decode_resources, headers_arrive, resources_decode
from tests import factories

NONE = NotMeasured(reason="not asked for", skipped=True)


def packed(value: object) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode(), mtime=0)).decode()


def envelope(value: object, version: object = 1) -> str:
    return json.dumps({"v": version, "p": packed(value)})


PROJECT = [{"type": "project", "id": "1", "name": "x"}]
GOOD = envelope(PROJECT)


def seen(status: int = 200, *arrived: str, resources: str | None = None, withheld: str | None = None) -> Audit:
    exchange = factories.exchange(
        url="https://api.example.com/v1/project?limit=1",
        status=status,
        key_withheld=withheld,
    )
    return Audit(
        exchange=exchange, arrived=arrived, resources=decode_resources(resources) if resources is not None else None
    )


def test_an_envelope_decodes() -> None:
    assert decode_resources(GOOD).types == ("project",)
    assert decode_resources(envelope([])).types == ()


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (envelope(PROJECT, 2), "protocol version is 2"),
        (envelope(PROJECT, True), "protocol version"),
        (envelope(PROJECT, "1"), "protocol version"),
        ('{"v":1}', "without the fields"),
        ('{"v":1,"p":5}', "no string"),
        ('{"v":1,"p":"@@"}', "no base64"),
        ('{"v":1,"p":"aGVsbG8="}', "no gzip stream"),
        (json.dumps({"v": 1, "p": packed(PROJECT)[:24]}), "cut off"),
        (json.dumps({"v": 1, "p": packed(["a" * 2_000_000])}), "more than 1048576 bytes"),
        (envelope({"type": "project"}), "no list"),
        (json.dumps({"v": 1, "p": base64.b64encode(gzip.compress(b"{", mtime=0)).decode()}), "no JSON"),
        ("hello", "neither JSON nor base64"),
        ("", "neither JSON nor base64"),
        ("[" * 100_000, "neither JSON nor base64"),
    ],
)
def test_what_cannot_be_decoded_says_why(value: str, problem: str) -> None:
    found = decode_resources(value)
    assert problem in found.problem
    assert not found.flat


def test_the_form_without_an_envelope_is_told_apart() -> None:
    found = decode_resources(packed(PROJECT))
    assert found.flat
    assert found.types == ("project",)
    assert resources_decode(seen(200, *NAMES, resources=packed(PROJECT))).verdict is Verdict.WARN


@given(st.text(max_size=200))
def test_decoding_never_raises(value: str) -> None:
    decode_resources(value)
    decode_resources(json.dumps({"v": 1, "p": value}))


def test_all_headers_arrive() -> None:
    assert headers_arrive(seen(200, *NAMES), NONE).verdict is Verdict.PASS


def test_headers_that_only_the_api_server_sends_were_dropped() -> None:
    found = headers_arrive(seen(200), seen(200, *NAMES))
    assert found.verdict is Verdict.FAIL
    assert found.summary.startswith("4 audit headers do not arrive")


def test_without_the_api_servers_own_answer_absence_proves_nothing() -> None:
    assert headers_arrive(seen(200), NONE).verdict is Verdict.SKIP
    assert headers_arrive(seen(200), seen(401)).verdict is Verdict.SKIP


def test_some_headers_missing_is_a_warning() -> None:
    found = headers_arrive(seen(200, *NAMES[:2]), NONE)
    assert found.verdict is Verdict.WARN
    assert "1 audit header does not arrive (x-bt-audit-normalized-url)" in found.summary


@pytest.mark.parametrize(
    ("front", "verdict", "because"),
    [
        (seen(401), Verdict.SKIP, "readiness.key-is-accepted"),
        (seen(429), Verdict.INCONCLUSIVE, None),
        (seen(404), Verdict.SKIP, None),
        (seen(200, withheld="the connection is not encrypted"), Verdict.SKIP, None),
    ],
)
def test_no_answer_to_look_at(front: Audit, verdict: Verdict, because: str | None) -> None:
    for found in (headers_arrive(front, NONE), resources_decode(front)):
        assert (found.verdict, found.because) == (verdict, because)


def test_the_resources_of_a_request_are_optional() -> None:
    assert resources_decode(seen(200, *NAMES[:3])).verdict is Verdict.SKIP


def test_unreadable_resources_fail_at_the_hop_that_cuts_them() -> None:
    cut = seen(200, *NAMES, resources=json.dumps({"v": 1, "p": packed(PROJECT)[:24]}))
    found = resources_decode(cut)
    assert (found.verdict, found.hop) == (Verdict.FAIL, "load balancer")
    other = replace(cut, resources=decode_resources(envelope(PROJECT, 2)))
    assert resources_decode(other).hop == "api"


BAD, FINE = seen(502).exchange, seen(200).exchange
CUT, LATE = (
    factories.exchange(failure=Failure(phase=Phase.HEADERS, trouble=trouble, detail="-"))
    for trouble in (Trouble.RESET, Trouble.TIMEOUT)
)


@pytest.mark.parametrize(
    ("found", "lost"),
    [
        (replace(seen(502), without=FINE), True),
        (replace(seen(502), without=BAD), False),  # it fails either way
        (seen(502), False),
        (replace(seen(200, *NAMES), many=BAD, without=FINE), True),
        (replace(seen(200, *NAMES), many=FINE), False),
        (replace(seen(200, *NAMES), many=CUT, without=FINE), True),
        (replace(seen(200, *NAMES), many=LATE, without=FINE), False),  # slowness has other causes
    ],
)
def test_an_answer_that_its_audit_headers_cost(found: Audit, lost: bool) -> None:
    told = headers_arrive(found, NONE)
    assert (told.verdict is Verdict.FAIL) is lost
    if lost:
        assert told.remedy is not None
        assert "buffer" in told.remedy.text
        assert "proxy_buffer_size 32k" in told.remedy.snippets[0].code
        assert len(told.answer) <= 90


def test_what_hangs_on_a_lost_answer_is_skipped() -> None:
    told = resources_decode(replace(seen(502), without=FINE))
    assert (told.verdict, told.because) == (Verdict.SKIP, "audit.headers-arrive")


def test_the_api_server_that_fails_by_itself_is_named() -> None:
    assert headers_arrive(replace(seen(502), without=FINE), seen(502)).hop == "api"
    assert headers_arrive(replace(seen(502), without=FINE), seen(200)).hop == "load balancer"
