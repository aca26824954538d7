"""Two clocks compared: this machine's and the one in the Date header of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from btdiag.core import evidence
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.handshake import Connection
from btdiag.families.connection.judge.reach import blocked

TOLERANCE = timedelta(minutes=1)  # clocks kept by NTP agree within a second; tokens and signatures allow minutes
SIGNATURES_FAIL = timedelta(minutes=15)  # S3 refuses requests signed that far off (RequestTimeTooSkewed)

SOURCES = (
    "RFC 9110 section 6.6.1",
    "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html (RequestTimeTooSkewed)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """One Date header. `skew` is how far the server is ahead of this machine at least (negative: behind), zero when
    both may agree, for the header counts whole seconds and the answer took a while."""

    label: str
    server_time: datetime
    skew: timedelta


def reading_of(connection: Connection) -> ClockReading | None:
    """The server's clock as its first answer tells it; None without an answer or without a Date header."""
    answer = connection.greeting
    moment = _date(answer) if answer is not None else None
    if answer is None or moment is None:
        return None
    sent = datetime.fromisoformat(answer.started_at)
    received = sent + timedelta(seconds=answer.timing.total_s)
    earliest, latest = moment - received, moment - sent + timedelta(seconds=1)
    skew = earliest if earliest > timedelta(0) else min(latest, timedelta(0))
    return ClockReading(label=connection.label, server_time=moment, skew=skew)


def _date(answer: Exchange) -> datetime | None:
    """Date, made older answers of a cache count as of now by their Age (RFC 9111 section 5.1)."""
    age = answer.number("age") if answer.header("age") else 0
    if age is None:
        return None
    try:
        moment = parsedate_to_datetime(answer.header("date") or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) + timedelta(seconds=age)
    except (ValueError, OverflowError):
        return None


def clocks_agree(connections: Mapping[str, Connection]) -> Finding:
    """The claim of connection.clocks-agree: this machine and the servers are less than a minute apart."""
    readings = [reading for one in connections.values() if (reading := reading_of(one)) is not None]
    if not readings and all(one.blocked_by for one in connections.values()):
        return blocked(connections)
    if not readings:
        return Finding(verdict=Verdict.SKIP, summary="no answer carried a Date header to hold this clock against")
    worst = max(readings, key=lambda reading: abs(reading.skew))
    if abs(worst.skew) <= TOLERANCE:
        text = f"this machine's clock agrees with every Date header ({len(readings)} read) within {_span(TOLERANCE)}"
        return Finding(verdict=Verdict.PASS, summary=text)
    direction = "ahead of" if worst.skew > timedelta(0) else "behind"
    fatal = abs(worst.skew) > SIGNATURES_FAIL
    return Finding(
        verdict=Verdict.FAIL if fatal else Verdict.WARN,
        answer="A clock is wrong: tokens, presigned downloads and certificates fail"
        if fatal
        else "Clocks differ: presigned downloads and tokens may fail",
        summary=f"the server's clock at {worst.label} is {_span(abs(worst.skew))} {direction} this machine's",
        hop=HopName.CLIENT,
        owner=Owner.CLIENT,
        expected=f"at most {_span(TOLERANCE)} apart",
        seen="; ".join(f"{reading.label}: {reading.skew.total_seconds():+.0f} s" for reading in readings),
        evidence=(
            evidence.table(
                "Server clocks",
                ("address", "Date header", "ahead of this machine by at least (s)"),
                [(r.label, r.server_time.isoformat(), round(r.skew.total_seconds(), 1)) for r in readings],
            ),
        ),
        remedy=Remedy(
            action="Compare this machine with a time server; if it is right, set the server's clock",
            text="One of the two is wrong: compare this machine with a time server first; if it is right, the clock "
            "of the load balancer or API server is not. Presigned downloads, tokens and certificates fail by a wrong "
            "clock.",
            snippets=(Snippet(product="shell", code="timedatectl status\nchronyc tracking"),),
        ),
        sources=SOURCES,
    )


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
