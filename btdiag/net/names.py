"""Names to addresses: the system's resolver as programs ask it, and its name servers directly.

getaddrinfo runs in a daemon thread: it cannot be cancelled, and a pool's threads would be joined at exit.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from btdiag.core.address import is_ipv6, parsed_address
from btdiag.core.resolution import (
    AddressSource,
    Detour,
    DetourKind,
    LookupOutcome,
    Resolution,
    ServerLookup,
    SystemLookup,
    View,
    is_local_name,
)
from btdiag.core.target import Resolver, Target
from btdiag.net import hosts_file
from btdiag.net.limits import SYSTEM_PATIENCE, SYSTEM_TIMEOUT, UDP_TIMEOUT
from btdiag.net.nameserver import NameServer, ask, sample

MAX_SERVERS = 3  # the system's resolver itself reads no more from resolv.conf
SLOW = 1.0  # seconds; resolvers answer within a tenth of that, and what they have to look up first rarely takes longer
MOST_PATIENCE = 3.0  # seconds for each query of a series
_AGAIN = 4.0  # seconds; a lookup longer than that has waited for a lost query already: the second one tells no more


async def resolve(target: Target) -> Resolution:
    """What every resolver of the target says about its name, at most SYSTEM_PATIENCE seconds; never raises for what the
    network or a resolver does."""
    proxy = urlsplit(target.proxy.url).netloc if target.proxy else ""
    if target.resolve:
        return Resolution(name=target.host, source=AddressSource.OVERRIDE, addresses=target.resolve, proxy=proxy)
    if parsed_address(target.host):
        return Resolution(name=target.host, source=AddressSource.LITERAL, addresses=(target.host,), proxy=proxy)
    views = tuple(await asyncio.gather(*(_view(resolver, target.host) for resolver in target.resolvers)))
    addresses = views[0].addresses if views else ()
    if views and views[0].system is None:
        addresses = in_system_order(addresses)
    return Resolution(
        name=target.host,
        source=AddressSource.RESOLVER,
        addresses=tuple(dict.fromkeys(addresses)),
        views=views,
        proxy=proxy,
    )


async def _view(resolver: Resolver, name: str) -> View:
    if resolver.address is not None:
        server = NameServer.parse(resolver.address)
        return View(label=resolver.label, servers=(await _sampled(server, await _look_up(server, name)),))
    servers, search = ((), ()) if is_local_name(name) else configured_servers()
    started = time.monotonic()
    system = asyncio.ensure_future(getaddrinfo(name, SYSTEM_PATIENCE))
    try:
        lookups = await asyncio.gather(*(_look_up(server, name) for server in servers))
        found = any(lookup.addresses for lookup in lookups)
        seen = await _until(system, started, SYSTEM_PATIENCE if found or not lookups else SYSTEM_TIMEOUT)
    finally:
        system.cancel()
    slow = seen.duration_s >= SLOW
    lookups = await asyncio.gather(
        *(_sampled(server, one, slow=slow) for server, one in zip(servers, lookups, strict=True))
    )
    if slow and seen.addresses and seen.duration_s < _AGAIN:
        seen = replace(seen, again_s=(await getaddrinfo(name, SYSTEM_PATIENCE - seen.duration_s)).duration_s)
    view = View(label=resolver.label, servers=tuple(lookups), system=seen)
    return await _compared(view, name, servers, search) if seen.addresses and lookups else view


async def _sampled(server: NameServer, lookup: ServerLookup, *, slow: bool = False) -> ServerLookup:
    """The lookup with a series of queries beside it, where one of its own was lost or the system's took long."""
    outcomes = {answer.outcome for answer in lookup.answers}
    answers = not outcomes <= {LookupOutcome.TIMEOUT, LookupOutcome.UNREACHABLE, LookupOutcome.LOCAL}
    known = {answer.qtype: answer for answer in lookup.answers if answer.outcome is not LookupOutcome.TIMEOUT}
    if not answers or not known or not (slow or any(answer.lost for answer in known.values())):
        return lookup
    slowest = max((answer.duration_s for answer in known.values() if not answer.lost), default=0.0)
    patience = min(MOST_PATIENCE, max(UDP_TIMEOUT, 2 * slowest))
    return replace(lookup, loss=await sample(server, lookup.name, next(iter(known)), patience))


async def _compared(view: View, name: str, servers: Sequence[NameServer], search: Sequence[str]) -> View:
    """The system's addresses held against those of its name servers for the very same name."""
    system = set(view.system.addresses if view.system else ())
    straight = tuple(dict.fromkeys(address for server in view.servers for address in server.addresses))
    denied = all(lookup.outcome.denies for lookup in view.servers)
    if system & set(straight) or not (straight or denied):
        return view
    if straight and (lines := [(a, where) for a, where in hosts_file.entries(name) if a in system]):
        return replace(view, detour=Detour(kind=DetourKind.HOSTS_FILE, where=lines[0][1], straight=straight))
    completed = await _with_search_list(servers, name, search)
    if any(system & set(lookup.addresses) for lookup in completed):
        suffix = completed[0].name.removeprefix(f"{name}.")
        wildcard = await _is_wildcard(servers, suffix, system)
        if not straight and not wildcard:  # a short name, as within a cluster
            return replace(view, servers=tuple(completed))
        where = completed[0].name
        return replace(
            view,
            detour=Detour(kind=DetourKind.SEARCH_LIST, where=where, straight=straight, wildcard=wildcard),
        )
    if straight and await _stays_apart(name, servers, system, set(straight)):
        return replace(view, detour=Detour(kind=DetourKind.OTHER, where="", straight=straight))
    return view


async def _is_wildcard(servers: Sequence[NameServer], suffix: str, system: set[str]) -> bool:
    """Whether a name that nobody can have is given the same addresses under this suffix."""
    nobody = f"btdiag-{secrets.token_hex(4)}.{suffix}"
    lookups = await asyncio.gather(*(_look_up(server, nobody) for server in servers))
    return any(system & set(lookup.addresses) for lookup in lookups)


async def _stays_apart(name: str, servers: Sequence[NameServer], system: set[str], straight: set[str]) -> bool:
    """Whether both give the same again: a pool that rotates does not."""
    seen, *lookups = await asyncio.gather(
        getaddrinfo(name, SYSTEM_TIMEOUT), *(_look_up(server, name) for server in servers)
    )
    assert isinstance(seen, SystemLookup)
    again = {address for lookup in lookups if isinstance(lookup, ServerLookup) for address in lookup.addresses}
    return set(seen.addresses) == system and again == straight


async def _until(system: asyncio.Future[SystemLookup], started: float, patience: float) -> SystemLookup:
    done, _ = await asyncio.wait({system}, timeout=max(0.1, started + patience - time.monotonic()))
    return system.result() if done else _no_answer(patience)


def _no_answer(seconds: float) -> SystemLookup:
    detail = f"getaddrinfo did not return within {seconds:g} s"
    return SystemLookup(addresses=(), duration_s=seconds, error="no answer", detail=detail)


async def _look_up(server: NameServer, name: str) -> ServerLookup:
    answers = await asyncio.gather(ask(server, name, "A"), ask(server, name, "AAAA"))
    return ServerLookup(server=str(server), name=name, answers=tuple(answers))


async def _with_search_list(servers: Sequence[NameServer], name: str, search: Sequence[str]) -> list[ServerLookup]:
    """What the name servers say to the name as the search list completes it, for the first suffix that helps."""
    for suffix in search:
        lookups = await asyncio.gather(*(_look_up(server, f"{name}.{suffix}") for server in servers))
        if any(lookup.addresses for lookup in lookups):
            return lookups
    return []


def configured_servers() -> tuple[tuple[NameServer, ...], tuple[str, ...]]:
    """The system's name servers and its search list, as far as they can be read."""
    import dns.resolver  # brings dns.query with all its transports: only where it is needed

    try:
        configured = dns.resolver.Resolver()
    except (dns.exception.DNSException, OSError, ValueError):
        return (), ()
    hosts = [str(server) for server in configured.nameservers if isinstance(server, str)]
    search = tuple(suffix.to_text(omit_final_dot=True) for suffix in configured.search)
    return tuple(NameServer(host, configured.port) for host in hosts[:MAX_SERVERS]), search


async def getaddrinfo(name: str, timeout: float) -> SystemLookup:
    """What the system's resolver gives, in its order, each address once; never raises. It is abandoned at `timeout`."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[SystemLookup] = loop.create_future()

    def deliver(lookup: SystemLookup) -> None:
        if not result.done():
            result.set_result(lookup)

    def work() -> None:
        lookup = _getaddrinfo(name)
        try:
            loop.call_soon_threadsafe(deliver, lookup)
        except RuntimeError:  # the run ended first and closed its loop
            return

    threading.Thread(target=work, name=f"getaddrinfo {name}", daemon=True).start()
    done, _ = await asyncio.wait({result}, timeout=timeout)
    return result.result() if done else _no_answer(timeout)


def _getaddrinfo(name: str) -> SystemLookup:
    started = time.monotonic()
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return SystemLookup(
            addresses=(), duration_s=time.monotonic() - started, error=_eai_name(error), detail=str(error)[:300]
        )
    except (OSError, UnicodeError) as error:
        return SystemLookup(
            addresses=(), duration_s=time.monotonic() - started, error=type(error).__name__, detail=str(error)[:300]
        )
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    return SystemLookup(addresses=addresses, duration_s=time.monotonic() - started)


def _eai_name(error: socket.gaierror) -> str:
    names = (name for name in dir(socket) if name.startswith("EAI_") and getattr(socket, name) == error.errno)
    return next(names, f"error {error.errno}")


def in_system_order(addresses: Sequence[str]) -> tuple[str, ...]:
    """The order in which this machine would try them: what has a route first, IPv6 before IPv4 (RFC 6724)."""
    return tuple(sorted(addresses, key=lambda address: (not _has_route(address), not is_ipv6(address))))


def _has_route(address: str) -> bool:
    """Whether this machine has a route: connecting a UDP socket sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
    except OSError:
        return False
    return True
