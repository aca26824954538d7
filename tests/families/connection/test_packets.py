"""What is lost on the way, told from all dials of a run and from what the system counts: facts made by hand, and real
sockets that stay silent."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from btdiag.core.account import Account, Dials
from btdiag.core.exchange import Failure, Phase, TcpCounters, Timing, Trouble
from btdiag.core.finding import Owner, Verdict
from btdiag.core.handshake import Connection
from btdiag.core.packets import lost_on_the_way
from btdiag.core.target import Route, Target
from btdiag.families.connection.judge.handshake import tls_handshake_completes
from btdiag.families.connection.judge.reach import tcp_connects
from btdiag.net import counters
from btdiag.net.ledger import SILENCE_S, Counts
from btdiag.net.limits import Limits
from btdiag.net.sockets import Packing
from btdiag.net.wire import Wire
from tests.support.serving import serving

HOST = "api.example.com"
TARGET = Target(url=f"https://{HOST}", scheme="https", host=HOST, port=443)
FINE = Connection(
    label="192.0.2.1",
    port=443,
    tls=True,
    started_at=datetime(2030, 1, 1, tzinfo=UTC),
    timing=Timing(tcp_s=0.01, tls_s=0.02),
)
SILENT = Failure(phase=Phase.TLS, trouble=Trouble.TIMEOUT, detail="not complete within 5 s")
LOST_UP = TcpCounters(unacknowledged=3, resent=5)
LOST_DOWN = TcpCounters(unacknowledged=0, resent=0, out_of_order=1)
SWALLOWED = TcpCounters(unacknowledged=0, resent=0)


def dialled(answered: int, unanswered: tuple[int, ...] = (), resent: int = 0) -> Dials:
    """So many that were answered one after the other (all stay open), and those that were not, by how many were open
    then."""
    dials = Dials()
    for number in range(answered):
        dials = dials.answered_one(1 if number < resent else 0, number + 1)
    for standing in unanswered:
        dials = dials.unanswered_one(standing)
    return dials


@pytest.mark.parametrize(
    ("dials", "verdict", "words"),
    [
        (dialled(66), Verdict.PASS, "takes TCP connections"),
        (dialled(66, resent=2), Verdict.PASS, "takes TCP connections"),
        (dialled(66, resent=14), Verdict.WARN, "14 of 66 connections to api.example.com were answered only when asked"),
        (dialled(20, (7,)), Verdict.WARN, "1 of 21 connections"),
        (dialled(20, (7, 2, 9)), Verdict.FAIL, "3 of 23 connections to api.example.com got no answer (up to 20"),
        (dialled(8, (8, 8, 9)), Verdict.FAIL, "3 of 11 connections to api.example.com got no answer while 8 and more"),
    ],
)
def test_dials_add_up_over_a_run(dials: Dials, verdict: Verdict, words: str) -> None:
    found = tcp_connects({FINE.label: FINE}, TARGET, (), dials)
    assert found.verdict is verdict
    assert words in found.summary
    if verdict is not Verdict.PASS:
        assert (found.hop, found.owner) == ("network", Owner.NETWORK)
        assert len(found.answer) <= 90


def test_the_dials_of_two_rounds_are_one_account() -> None:
    both = Account(dials=dialled(3, (2,))).plus(Account(dials=dialled(5, resent=1))).dials
    assert (both.asked, both.unanswered, both.resent, both.most_open, both.least_open) == (9, 1, 1, 5, 2)
    assert Account().plus(Account()).dials == Dials()


def test_a_silence_too_short_for_a_second_packet_says_nothing() -> None:
    counts = Counts()
    silent = Failure(phase=Phase.TCP, trouble=Trouble.TIMEOUT, detail="silence")
    counts.not_made(silent, SILENCE_S / 2)
    counts.not_made(replace(silent, trouble=Trouble.REFUSED), SILENCE_S)
    counts.not_made(SILENT, SILENCE_S)
    assert counts.account.dials == Dials()
    counts.not_made(silent, SILENCE_S)
    assert counts.account.dials.unanswered == 1


@pytest.mark.parametrize(
    ("counted", "small", "hop", "words"),
    [
        (LOST_DOWN, False, "network", "later packets of the answer came, an earlier one never did"),
        (SWALLOWED, True, "network", "with small packets it completes"),
        (SWALLOWED, False, "tls", "nothing comes after the ClientHello"),
        (None, False, "tls", "nothing comes after the ClientHello"),
    ],
)
def test_a_handshake_of_large_packets_is_told_from_a_silent_server(
    counted: TcpCounters | None, small: bool, hop: str, words: str
) -> None:
    one = replace(FINE, failure=replace(SILENT, counters=counted), small_packets=small)
    found = tls_handshake_completes({one.label: one}, TARGET)
    assert (found.verdict, found.hop) == (Verdict.FAIL, hop)
    assert words in found.summary
    assert found.remedy is not None
    assert ("MSS" in found.remedy.text) is (hop == "network")


def test_counters_speak_of_silence_alone() -> None:
    assert "sent again 5 times" in lost_on_the_way(replace(SILENT, counters=LOST_UP))
    assert lost_on_the_way(replace(SILENT, trouble=Trouble.RESET, counters=LOST_UP)) == ""
    assert (
        lost_on_the_way(replace(SILENT, counters=SWALLOWED)) == lost_on_the_way(SILENT) == lost_on_the_way(None) == ""
    )


async def _swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells")
def test_the_system_counts_on_a_silent_connection_and_dials_are_counted() -> None:
    async def go() -> tuple[Failure | None, Dials, int]:
        async with serving(_swallow) as port:
            target = Target(url=f"http://127.0.0.1:{port}", scheme="http", host="127.0.0.1", port=port)
            wire = Wire(target, user_agent="btdiag/test")
            route = Route(label="a", address="127.0.0.1", port=port)
            seen = await wire.exchange(route, "GET", target.url_for("/"), limits=Limits(total=0.3))
            stream = await wire.dial(route, tls=False, packing=Packing(segment=536, buffer=4096))
            standing = wire.counts.standing
            stream.abort()
            assert (standing, wire.counts.standing) == (1, 0)
            return seen.failure, wire.counts.account.dials, standing

    failure, dials, _ = asyncio.run(go())
    assert failure is not None
    assert failure.counters is not None
    assert (failure.counters.unacknowledged, failure.counters.lost_up, failure.counters.lost_down) == (0, False, False)
    assert (dials.asked, dials.unanswered, dials.most_open) == (2, 0, 1)


def test_nothing_is_counted_without_a_socket() -> None:
    assert counters.of(None) is None
