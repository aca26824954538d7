"""What a host's answers tell: the host's own, or a filter's, a portal's, or only some of what is asked for.

A certificate that is trusted and bears the name identifies the host. The answer must not be somebody else's all the
same: filters whose CA is trusted here, and the host's own front, turn places down with a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from btdiag.core import evidence
from btdiag.core.answers import in_words
from btdiag.core.exchange import Exchange, Failure, Trouble
from btdiag.core.finding import HopName, Owner
from btdiag.core.handshake import Connection
from btdiag.core.sender import Page, is_app, page, redirect, sender
from btdiag.families.connection.judge.reach import is_v6, without_route
from btdiag.families.egress.facts import LARGER, HostTrial
from btdiag.families.egress.remedy import Block, HostReading

SLOW_START = 1.0  # seconds; a handshake and a first byte over the ocean take half of that
SLOW_HANDSHAKE = 5.0  # seconds; many programs wait no longer for a connection
_TURNED_DOWN = frozenset({403, 451, 511})  # forbidden, for legal reasons (RFC 7725), network login (RFC 6585)
_NO_TO_THIS = _TURNED_DOWN | {405, 413, 414, 501}


def answered(trial: HostTrial, trusted: Sequence[Connection]) -> HostReading:
    """The reading of a host behind a connection whose certificate is its own (or that is plain http)."""
    seen = trial.answer
    late = trial.patient
    if late is not None and late.status is not None and not is_block_page(late):
        return HostReading(trial=trial, note=_late(trial, late), advice=_LATE)
    if seen is not None and seen.failure is not None and seen.status is None:
        return _blocked(trial, Block.CUT, in_words(seen), seen)
    if seen is not None and is_block_page(seen):
        who = sender(seen)
        by_proxy = who.hop is HopName.PROXY
        return _blocked(
            trial, Block.PAGE, f"{in_words(seen)}, {who.why}" if by_proxy else in_words(seen), seen, by_proxy
        )
    if (partly := _partly(trial)) is not None:
        return partly
    if (slow := _slow_handshake(trial, trusted)) and not _address_note(trial):
        return HostReading(trial=trial, note=slow, advice=_LATE)
    if (told := _serves_nothing(trial)) and not _address_note(trial):
        return HostReading(trial=trial, note=told, advice=_SERVES)
    return HostReading(trial=trial, note=_address_note(trial), aside=_slow_start(trial, trusted))


def met_silence(failure: Failure | None) -> bool:
    """Whether nothing came in time, which a slow box on the way looks like as well as one that swallows."""
    return failure is not None and failure.trouble is Trouble.TIMEOUT


_LATE = (
    "What answers late is reached: look for a box that holds the first request to inspect it (proxy, sandbox, TLS "
    "inspection), and exempt the host there; Python SDKs wait 20 s for a login."
)
_SERVES = (
    "The host is reached, and what answers there is not the service: look at its status page, and for a filter or "
    "proxy that answers in its place."
)


def _late(trial: HostTrial, late: Exchange) -> str:
    took = late.timing.total_s
    return f"{trial.host.name} answers late: nothing within 6 s, {in_words(late)} after {took:.1f} s on another try"


def _slow_handshake(trial: HostTrial, trusted: Sequence[Connection]) -> str:
    """A handshake that took longer than most programs wait for a connection."""
    slowest = min((one.timing.tls_s or 0.0 for one in trusted), default=0.0)
    return f"TLS to {trial.host.name} takes {slowest:.1f} s" if slowest > SLOW_HANDSHAKE else ""


def _serves_nothing(trial: HostTrial) -> str:
    """A host that is reached and does not serve: a 5xx, or a web page where SDKs are answered in JSON."""
    for seen in (trial.api, trial.answer):
        if seen is None or seen.status is None:
            continue
        if seen.status >= 500 and seen.status != 501:
            return (
                f"{_asked(seen)} of {trial.host.name} is answered {in_words(seen)}: it is reached, and does not serve"
            )
        if seen is trial.api and page(seen) is not None and seen.status in {200, 404}:
            return (
                f"{_asked(seen)} of {trial.host.name} is answered {seen.status} with a web page, where the API answers "
                "in JSON: something else answers in its place"
            )
    return ""


def is_block_page(seen: Exchange) -> bool:
    """Whether a filter, a captive portal or a front that turns this place down wrote the answer: a product's mark, its
    page, 403 with a page where neither an object store nor a bot check says so, or a redirect to plain http on another
    host, where no product of this kind lives."""
    who = sender(seen)
    kind = page(seen)
    if who.hop is HopName.PROXY or (kind in {Page.BLOCK, Page.PORTAL} and not _is_its_own(seen)):
        return True
    if seen.status in _TURNED_DOWN and kind is Page.OTHER and who.name != "Amazon S3":
        return True
    leads = redirect(seen)
    return leads is not None and not leads.same_host and leads.url.startswith("http:")


def _is_its_own(seen: Exchange) -> bool:
    """A page that merely contains such words: an app's, the hosted one's, or one far longer than a filter's."""
    well = seen.status is not None and seen.status < 400
    return well and (is_app(seen) or sender(seen).hop is HopName.CONTROL_PLANE or seen.body_truncated)


def own_words(seen: Exchange) -> str:
    """The answer of a host that was reached: a page is its own, whatever words are in it."""
    shown = seen.failure is None and redirect(seen) is None and page(seen) in {Page.BLOCK, Page.PORTAL}
    return f"{seen.status} with a web page" if shown and not is_block_page(seen) else in_words(seen)


def _partly(trial: HostTrial) -> HostReading | None:
    """What of the requests that the product makes does not get through, where some do."""
    login, small = trial.api, trial.answer
    if login is not None and is_stopped(login):
        passes = trial.api_get
        if passes is not None and not is_stopped(passes):
            told = f"{_asked(passes)} is answered {in_words(passes)}, {_asked(login)} {in_words(login)}"
            return _blocked(trial, Block.METHOD, told, login)
        well = f"{_asked(small)} is answered {in_words(small)}" if small else "the host answers"
        return _blocked(trial, Block.PATH, f"{well}, {_asked(login)} {in_words(login)}", login)
    large = trial.api_large
    if login is not None and large is not None and is_stopped(large):
        told = f"{_asked(login)} is answered {in_words(login)}, with a body of {LARGER // 1024} KiB {in_words(large)}"
        return _blocked(trial, Block.BODY, told, large)
    upgrade = trial.upgrade
    if upgrade is not None and is_stopped(upgrade):
        well = f"{_asked(small)} is answered {in_words(small)}" if small else "the host answers"
        return _blocked(trial, Block.UPGRADE, f"{well}, with Upgrade: websocket {in_words(upgrade)}", upgrade)
    return None


def _asked(seen: Exchange) -> str:
    return f"{seen.method} {urlsplit(seen.url).path or '/'}"


def is_stopped(seen: Exchange) -> bool:
    """Whether a request was stopped on its way: no answer, or a page where the host itself answers in JSON."""
    if seen.status is None:
        return seen.failure is not None and seen.failure.trouble is not Trouble.LOCAL
    return is_block_page(seen) or (seen.status in _NO_TO_THIS and page(seen) is not None)


def _blocked(trial: HostTrial, block: Block, detail: str, seen: Exchange, by_proxy: bool = False) -> HostReading:
    at_proxy = by_proxy or bool(trial.proxy)
    return HostReading(
        trial=trial,
        block=block,
        detail=detail,
        hop=HopName.PROXY if at_proxy else HopName.NETWORK,
        owner=Owner.PROXY if at_proxy else Owner.NETWORK,
        proof=(evidence.exchange(seen),),
    )


def _address_note(trial: HostTrial) -> str:
    """Addresses that take no connection beside others that do: clients that take one of them wait, or fail (RFC 8305
    section 5 tries the next one after a pause; not every client does)."""
    failed = {one.label: one.failure for one in trial.connections if one.failure}
    working = [one.label for one in trial.connections if one.failure is None]
    excused = without_route(failed, working)
    broken = [label for label in failed if label not in excused]
    if not broken or not working:
        return ""
    if all(is_v6(label) for label in broken) and not all(is_v6(label) for label in working):
        return f"{trial.host.name} cannot be reached by IPv6 ({', '.join(broken)}), while IPv4 works"
    told = ", ".join(f"{label}: {failed[label].detail}" for label in broken)
    return f"{len(broken)} of {len(trial.connections)} addresses of {trial.host.name} cannot be reached ({told})"


def _slow_start(trial: HostTrial, trusted: Sequence[Connection]) -> str:
    """A first connection that took long beside a second one that did not: what inspection of a new host costs, among
    other things; no fault."""
    first = min((_lasted(one) for one in trusted), default=0.0)
    seen = trial.answer.timing if trial.answer is not None and trial.answer.status is not None else None
    second = (seen.tls_s or 0.0) + (seen.first_byte_s or 0.0) if seen is not None else first
    if first < SLOW_START or second > first / 2:
        return ""
    return f"slow start: {first:.1f} s for TLS and the first answer, then {second:.1f} s"


def _lasted(one: Connection) -> float:
    greeting = one.greeting.timing if one.greeting is not None else None
    waited = (greeting.first_byte_s or greeting.total_s) if greeting is not None else 0.0
    return (one.timing.tls_s or 0.0) + waited
