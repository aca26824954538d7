"""The HTTPS records (type 65) of every https place: browsers ask for them beside A and AAAA, programs do not.

Sent: one DNS question for each place, to the name servers that this machine, or the lab, uses. Where nobody but the
system's resolver can be asked, nothing is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from btdiag.core.address import parsed_address
from btdiag.core.measurement import NotAsked, measurement
from btdiag.core.resolution import DnsAnswer, LookupOutcome, is_local_name
from btdiag.core.target import Mode, Target
from btdiag.core.urls import default_port
from btdiag.families.browser.facts import HttpsRecord, PlaceRecords
from btdiag.families.lna.facts import CalledHost
from btdiag.net.names import configured_servers
from btdiag.net.nameserver import NameServer, ask

MOST = 8  # records of one answer that are read


def _planned(target: Target, mode: Mode) -> list[str]:
    hosts = [url.partition("?")[0] for url in (target.url, target.gateway, target.bucket) if url]
    return [f"an HTTPS query (type 65) for the host of {url}" for url in hosts if url.startswith("https:")]


@measurement(budget=6, why="one question for each place, side by side, 3 s each at most", sends=_planned)
async def https_records(target: Target, page_places: tuple[CalledHost, ...]) -> tuple[PlaceRecords, ...]:
    """What the name servers say of each https place beside its addresses."""
    servers = _servers(target)
    asked = [place for place in page_places if _has_record(place, target)]
    if not asked:
        raise NotAsked("no https place whose name this machine looks up: no HTTPS record is involved")
    if not servers:
        raise NotAsked("this system does not tell its name servers, so no HTTPS record was asked for")
    return tuple(await asyncio.gather(*(_records(place, servers) for place in asked)))


def _servers(target: Target) -> Sequence[NameServer]:
    """Those that the target's first resolver asks."""
    first = target.resolvers[0].address
    return (NameServer.parse(first),) if first else configured_servers()[0]


def _has_record(place: CalledHost, target: Target) -> bool:
    literal = parsed_address(place.host) is not None or is_local_name(place.host)
    given = bool(target.resolve) and place.host == target.host
    return place.url.startswith("https:") and not (literal or given or place.proxy)


async def _records(place: CalledHost, servers: Sequence[NameServer]) -> PlaceRecords:
    """Of the first server that answers. Another port than 443 has a name of its own (RFC 9460 section 9.1)."""
    own = place.port == default_port("https")
    name = place.host if own else f"_{place.port}._https.{place.host}"
    for server in servers:
        answer = await ask(server, name, "HTTPS")
        if answer.outcome in {LookupOutcome.ADDRESSES, LookupOutcome.NO_DATA, LookupOutcome.NXDOMAIN}:
            break
    return PlaceRecords(
        what=place.what,
        host=place.host,
        port=place.port,
        name=name,
        server=str(server),
        said=answer.outcome.value,
        answered=answer.outcome in {LookupOutcome.ADDRESSES, LookupOutcome.NO_DATA, LookupOutcome.NXDOMAIN},
        addresses=place.addresses,
        records=_read(answer),
    )


def _read(answer: DnsAnswer) -> tuple[HttpsRecord, ...]:
    return tuple(record for text in answer.addresses[:MOST] if (record := parsed(text)) is not None)


def parsed(text: str) -> HttpsRecord | None:
    """A record from its presentation form (RFC 9460 section 2.1); None where it is none."""
    import dns.exception
    import dns.rdata
    from dns.rdtypes.svcbbase import ALPNParam, IPv4HintParam, IPv6HintParam, ParamKey, PortParam, SVCBBase

    try:
        rdata = dns.rdata.from_text("IN", "HTTPS", text)
    except (dns.exception.DNSException, ValueError):
        return None
    if not isinstance(rdata, SVCBBase):
        return None
    of = rdata.params.get
    alpn, port = of(ParamKey.ALPN), of(ParamKey.PORT)
    v4, v6 = of(ParamKey.IPV4HINT), of(ParamKey.IPV6HINT)
    return HttpsRecord(
        priority=rdata.priority,
        target=rdata.target.to_text(omit_final_dot=True).lower(),
        alpn=tuple(one.decode("ascii", "backslashreplace") for one in alpn.ids) if isinstance(alpn, ALPNParam) else (),
        default_alpn=ParamKey.NO_DEFAULT_ALPN not in rdata.params,
        port=port.port if isinstance(port, PortParam) else None,
        hints=(
            *(v4.addresses if isinstance(v4, IPv4HintParam) else ()),
            *(v6.addresses if isinstance(v6, IPv6HintParam) else ()),
        ),
        ech=ParamKey.ECH in rdata.params,
    )
