"""HTTPS records (type 65): what they promise browsers beside the addresses that programs use. Pure.

Sources: RFC 9460 sections 2.4.3 and 7 (alpn, port, hints), RFC 9848 (ech). Observed with Chromium 156: a record with
another port, with hints at other addresses or with unknown protocols leaves it at A and AAAA, a key for ECH is used. So
such a record is a risk and no failure by itself; whether ech works only a browser tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from btdiag.core import evidence
from btdiag.core.address import parsed_address, space
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Remedy, Snippet, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.browser.facts import BrowserHandshake, HttpsRecord, PlaceRecords
from btdiag.families.lna.facts import TARGET_ITSELF

_SPOKEN = frozenset({"h2", "h3", "http/1.1"})
_KEEPS = "Chromium 156 keeps to the addresses"
_SOURCES = ("RFC 9460 section 7", "RFC 9848", "https://chromium.googlesource.com/chromium/src/+/main/net/dns/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One thing in a record that does not fit: `what` it says, `effect` on browsers, `change` to make."""

    place: PlaceRecords
    what: str
    effect: str
    answer: str
    change: str


def https_record_agrees(
    found: Sequence[PlaceRecords], tried: BrowserHandshake | NotMeasured, target: Target
) -> Finding:
    """The claim of browser.https-record-agrees: no record sends browsers elsewhere than programs, or promises more."""
    offered = tried.alpn if isinstance(tried, BrowserHandshake) and tried.failure is None else None
    known = isinstance(tried, BrowserHandshake) and tried.failure is None
    trouble = [
        one
        for place in found
        for record in place.records
        for one in _disagreements(place, record, target, offered if known else "h2")
    ]
    if trouble:
        return _disagrees(trouble[0], found, len(trouble))
    with_records = [place for place in found if place.records]
    silent = [place for place in found if not place.answered]
    if with_records:
        told = "; ".join(f"{place.what}: {_shown(place.records[0])}" for place in with_records)
        summary = f"what HTTPS records say agrees with the addresses ({told})"
    else:
        summary = f"no HTTPS record for {', '.join(place.host for place in found)}: browsers use the addresses alone"
    if silent:
        summary += f"; {silent[0].server} gives no answer to that type ({silent[0].said}), and browsers do without"
    return Finding(verdict=Verdict.PASS, summary=summary, evidence=(_table(found),), sources=_SOURCES)


def _disagreements(
    place: PlaceRecords, record: HttpsRecord, target: Target, offered: str | None
) -> Iterator[Disagreement]:
    if record.priority == 0:  # the alias form, which holds nothing of its own
        return
    protocols = {*record.alpn, *(("http/1.1",) if record.default_alpn else ())}
    if not protocols & _SPOKEN:
        yield Disagreement(
            place=place,
            what=f"lists {', '.join(record.alpn) or 'no protocol'} only",
            effect=f"no browser speaks that; {_KEEPS}",
            answer=f"The HTTPS record of {place.what} names no protocol of browsers",
            change="name in alpn what the load balancer offers (h2)",
        )
    elif not record.default_alpn and place.what == TARGET_ITSELF and offered != "h2" and "h3" not in record.alpn:
        yield Disagreement(
            place=place,
            what=f"lists {', '.join(record.alpn)} and excludes the default",
            effect=f"the load balancer chooses {offered or 'HTTP/1.1'} in the handshake: a browser that holds to the "
            "record finds no protocol in common",
            answer=f"The HTTPS record of {place.what} names protocols that it does not speak",
            change="drop no-default-alpn, or offer HTTP/2 on the load balancer",
        )
    if record.port not in (None, place.port):
        yield Disagreement(
            place=place,
            what=f"sends browsers to port {record.port}, the URL says {place.port}",
            effect=f"browsers that follow it connect there, programs stay at the URL's port; {_KEEPS}",
            answer=f"The HTTPS record of {place.what} sends some browsers to another port",
            change=f"remove port={record.port}",
        )
    yield from _hints(place, record, target)


def _hints(place: PlaceRecords, record: HttpsRecord, target: Target) -> Iterator[Disagreement]:
    hints = [hint for hint in record.hints if parsed_address(hint)]
    if (
        not hints
        or not place.addresses
        or {parsed_address(one) for one in hints} & {parsed_address(one) for one in place.addresses}
    ):
        return
    spaces = {space(one, target.address_spaces) for one in hints} - {
        space(one, target.address_spaces) for one in place.addresses
    }
    other = f", in another address space ({', '.join(sorted(spaces))})" if spaces else ""
    yield Disagreement(
        place=place,
        what=f"hints at {', '.join(hints)}, and the addresses are {', '.join(place.addresses)}",
        effect=f"browsers that use hints connect elsewhere than programs{other}; {_KEEPS}",
        answer=f"The HTTPS record of {place.what} sends some browsers to other addresses",
        change="give the hints the same addresses as A and AAAA, or remove them",
    )


def _disagrees(one: Disagreement, found: Sequence[PlaceRecords], count: int) -> Finding:
    place = one.place
    more = f"; {count} disagreements in all" if count > 1 else ""
    return Finding(
        verdict=Verdict.WARN,
        summary=f"the HTTPS record of {place.name} {one.what}: {one.effect}{more}",
        answer=one.answer,
        hop=HopName.DNS,
        owner=Owner.DNS,
        expected="an HTTPS record that says what A, AAAA and the handshake say, or none",
        seen=one.what,
        evidence=(_table(found),),
        remedy=Remedy(
            text=f"In the HTTPS record (type 65) of {place.name}: {one.change}. Records are often left over from a CDN "
            "that was in front before, and split-horizon zones often lack them.",
            action=f"In the HTTPS record of the name, {one.change}",
            snippets=(Snippet(product="shell", code=f"dig {place.name} HTTPS"),),
        ),
        sources=_SOURCES,
    )


def _shown(record: HttpsRecord) -> str:
    parts = [f"priority {record.priority}"]
    parts += [f"target {record.target}"] if record.target not in ("", ".") else []
    parts += [f"alpn {','.join(record.alpn)}"] if record.alpn else []
    parts += [f"port {record.port}"] if record.port else []
    parts += [f"hints {', '.join(record.hints)}"] if record.hints else []
    return ", ".join([*parts, *(["ech"] if record.ech else [])])


def _table(found: Sequence[PlaceRecords]) -> Evidence:
    rows = [
        [place.what, place.name, place.server, _shown(record), ", ".join(place.addresses)]
        for place in found
        for record in place.records
    ]
    rows += [[place.what, place.name, place.server, place.said, ""] for place in found if not place.records]
    return evidence.table("HTTPS records", ["what", "name", "asked", "record", "addresses"], rows)
