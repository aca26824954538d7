"""How a host is blocked, if it is: from what was seen to the way of blocking, its layer and who can lift it.

Each way has look-alikes, so that an error number alone decides nothing: a refusal may be a firewall's or a dead
service's, silence a filter's or a dead host's. What proves more is named: another server name in TLS that works on the
same address, a proxy's own answer, a page, an issuer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from btdiag.judge import evidence
from btdiag.judge.address import is_ipv6
from btdiag.judge.answers import words
from btdiag.judge.connection import got_furthest, lacks_route, phases
from btdiag.judge.dns import answers as dns_answers
from btdiag.judge.dns_failure import why_unresolved
from btdiag.judge.egress_facts import HostTrial
from btdiag.judge.exchange import Exchange, Phase, Trouble
from btdiag.judge.gateway import Page, page, redirect, sender
from btdiag.judge.handshake import Connection
from btdiag.judge.proxy import proxy_lets_through
from btdiag.judge.tls import chains, diagnose
from btdiag.judge.tls_names import inspection_vendor
from btdiag.judge.tls_remedy import Cause
from btdiag.model import Evidence, HopName, Owner, Proxy, Target, Verdict


class Block(StrEnum):
    """How a host is kept from being reached."""

    NAME = "its name does not resolve"
    SINKHOLE = "a DNS filter gives its name an address that leads nowhere"
    REFUSED = "connections are refused"
    SILENCE = "connections get no answer"
    NO_WAY = "the network says that there is no way"
    RESET = "connections are reset at once"
    SNI = "connections are cut off for the server name in them"
    HANDSHAKE = "connections are cut off in the TLS handshake"
    PROXY = "the proxy opens no way to it"
    INSPECTED = "TLS is intercepted"
    STRANGER = "another server answers in its place"
    UNTRUSTED = "its certificate is not trusted here"
    PAGE = "a block page or portal answers in its place"
    PATH = "only some of its paths get through"
    CUT = "requests are cut off on an open connection"
    LOCAL = "this machine cannot send"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One host understood. `block` is None when the right thing answered; `detail` says what was seen; `note` is what
    else is worth knowing of a host that was reached."""

    trial: HostTrial
    block: Block | None = None
    detail: str = ""
    hop: str = HopName.NETWORK
    owner: str = Owner.NETWORK
    proof: tuple[Evidence, ...] = ()
    note: str = ""

    @property
    def sentence(self) -> str:
        """ "www.example.com: connections are refused (203.0.113.7: connection refused)"."""
        told = f" ({self.detail})" if self.detail else ""
        return f"{self.trial.host.name}: {self.block}{told}"


def read(trial: HostTrial) -> Reading:
    """What became of the host."""
    if not trial.proxy and not trial.resolution.addresses:
        return _unresolved(trial)
    if not trial.connections:
        addresses = ", ".join(trial.misled)
        proof = (dns_answers(trial.resolution),) if trial.resolution.views else ()
        return Reading(
            trial=trial, block=Block.SINKHOLE, detail=addresses, hop=HopName.DNS, owner=Owner.DNS, proof=proof
        )
    working = [one for one in trial.connections if one.blocked_by is None]
    trusted = [one for one in working if one.distrust is None]
    if trusted:
        return _answered(trial, trusted)
    return _distrusted(trial, working[0]) if working else _unconnected(trial)


def _unresolved(trial: HostTrial) -> Reading:
    reason = why_unresolved(trial.resolution)
    local = reason.verdict is Verdict.INCONCLUSIVE
    return Reading(
        trial=trial,
        block=Block.LOCAL if local else Block.NAME,
        detail=reason.summary,
        hop=HopName.CLIENT if local else HopName.DNS,
        owner=reason.owner,
        proof=(dns_answers(trial.resolution),),
    )


_BY_TROUBLE = {
    Trouble.REFUSED: Block.REFUSED,
    Trouble.TIMEOUT: Block.SILENCE,
    Trouble.UNREACHABLE: Block.NO_WAY,
    Trouble.RESET: Block.RESET,
    Trouble.CLOSED: Block.RESET,
    Trouble.LOCAL: Block.LOCAL,
}
_CUTS = frozenset({Trouble.RESET, Trouble.CLOSED, Trouble.TIMEOUT})


def _unconnected(trial: HostTrial) -> Reading:
    seen = {one.label: one for one in trial.connections}
    furthest = got_furthest(seen) or trial.connections[0]
    if furthest.broke_at is Phase.PROXY:
        return _proxy(trial, seen)
    failure = furthest.trouble
    proof = (phases(seen),)
    told = "; ".join(f"{label}: {one.trouble.detail if one.trouble else 'no TLS'}" for label, one in seen.items())
    if furthest.broke_at is Phase.TLS:
        block, detail = _handshake(furthest, told)
        return Reading(trial=trial, block=block, detail=detail, hop=HopName.TLS, proof=proof)
    block = _BY_TROUBLE.get(failure.trouble, Block.CUT) if failure else Block.CUT
    local = block is Block.LOCAL or all(one.failure and lacks_route(one.label, one.failure) for one in seen.values())
    return Reading(
        trial=trial,
        block=Block.LOCAL if local else block,
        detail=told,
        hop=HopName.CLIENT if local else HopName.NETWORK,
        owner=Owner.CLIENT if local else Owner.NETWORK,
        proof=proof,
    )


def _handshake(one: Connection, told: str) -> tuple[Block, str]:
    """A filter by name is proved where the same address completes the handshake without the name."""
    cut = one.trouble is not None and one.trouble.trouble in _CUTS
    if cut and one.without_sni == "succeeded":
        return Block.SNI, f"{told}; without a server name the handshake completes on the same address"
    return Block.HANDSHAKE, f"after the ClientHello: {told}"


def _proxy(trial: HostTrial, seen: Mapping[str, Connection]) -> Reading:
    parts = urlsplit(trial.host.url)
    there = Target(
        url=trial.host.url,
        scheme=parts.scheme,
        host=trial.host.name,
        port=next(iter(seen.values())).port,
        proxy=Proxy(url=trial.proxy, source=trial.proxy_note),
    )
    found = proxy_lets_through(seen, there)
    return Reading(
        trial=trial, block=Block.PROXY, detail=found.summary, hop=found.hop, owner=found.owner, proof=found.evidence
    )


def _distrusted(trial: HostTrial, one: Connection) -> Reading:
    found = diagnose(one, trial.host.name)
    shown = (*chains({one.label: one}), *((evidence.exchange(trial.answer),) if trial.answer else ()))
    stranger = found.cause is Cause.WRONG_NAME
    block = {Cause.INSPECTED: Block.INSPECTED, Cause.WRONG_NAME: Block.STRANGER}.get(found.cause, Block.UNTRUSTED)
    if trial.answer is not None and _is_block_page(trial.answer) and block is not Block.INSPECTED:
        block = Block.PAGE
    answered = f"; it answers {words(trial.answer)}" if trial.answer is not None and stranger else ""
    at_proxy = block is Block.INSPECTED and one.proxied
    return Reading(
        trial=trial,
        block=block,
        detail=f"{one.label}: {found.sentence}{answered}",
        hop=HopName.PROXY if at_proxy else HopName.TLS,
        owner=Owner.PROXY if at_proxy else Owner.NETWORK,
        proof=shown,
    )


def _answered(trial: HostTrial, trusted: Sequence[Connection]) -> Reading:
    """A trusted certificate identifies the host; the answer must not be somebody else's all the same."""
    seen = trial.answer
    if seen is not None and seen.failure is not None and seen.status is None:
        return Reading(trial=trial, block=Block.CUT, detail=words(seen), proof=(evidence.exchange(seen),))
    if seen is not None and _is_block_page(seen):
        return _paged(trial, seen)
    if trial.api is not None and _is_stopped(trial.api):
        detail = f"GET / is answered {words(seen) if seen else 'well'}, {trial.api.method} {_path(trial.api)} "
        return Reading(
            trial=trial,
            block=Block.PATH,
            detail=detail + words(trial.api),
            hop=HopName.PROXY if trial.proxy else HopName.NETWORK,
            owner=Owner.PROXY if trial.proxy else Owner.NETWORK,
            proof=(evidence.exchange(trial.api),),
        )
    return Reading(trial=trial, note=_ipv6_note(trial))


def _paged(trial: HostTrial, seen: Exchange) -> Reading:
    who = sender(seen)
    at_proxy = who.hop is HopName.PROXY or bool(trial.proxy)
    return Reading(
        trial=trial,
        block=Block.PAGE,
        detail=f"{words(seen)}, {who.why}" if who.hop is HopName.PROXY else words(seen),
        hop=HopName.PROXY if at_proxy else HopName.NETWORK,
        owner=Owner.PROXY if at_proxy else Owner.NETWORK,
        proof=(evidence.exchange(seen),),
    )


def _is_block_page(seen: Exchange) -> bool:
    """Whether a filter or a captive portal wrote the answer: its own mark, its page, or a redirect to plain http on
    another host, where no product of this kind lives."""
    if sender(seen).hop is HopName.PROXY or page(seen) in {Page.BLOCK, Page.PORTAL}:
        return True
    leads = redirect(seen)
    return leads is not None and not leads.same_host and leads.url.startswith("http:")


def _is_stopped(seen: Exchange) -> bool:
    """Whether a login without a key was stopped on its way: no answer, or a page where the API refuses in JSON."""
    if seen.status is None:
        return seen.failure is not None and seen.failure.trouble is not Trouble.LOCAL
    return _is_block_page(seen) or (seen.status in {403, 405, 413, 451} and page(seen) is not None)


def _path(seen: Exchange) -> str:
    return urlsplit(seen.url).path


def _ipv6_note(trial: HostTrial) -> str:
    """IPv6 broken beside working IPv4: clients fall back, each after a pause (RFC 8305)."""
    broken = [
        one.label
        for one in trial.connections
        if one.failure and ":" in one.label and is_ipv6(one.label) and not lacks_route(one.label, one.failure)
    ]
    return f"{trial.host.name} cannot be reached by IPv6 ({', '.join(broken)}), while IPv4 works" if broken else ""


def interceptor(trial: HostTrial) -> str | None:
    """The TLS inspecting product whose name is in the certificates that came, trusted or not; None for none."""
    names = [
        name
        for one in trial.connections
        if one.handshake
        for entry in one.handshake.chain
        for name in (entry.issuer, entry.subject)
    ]
    return inspection_vendor(*names)
