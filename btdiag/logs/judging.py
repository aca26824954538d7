"""From what one file holds to what it proves: narrows the kinds that fit by what happened around each line. Pure.

The order is that of the signals: who made the answer and how long the closed attempt lasted stand in the lines already;
here come the connection's idle age, and what else failed and succeeded at the same time on the same upstream.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from btdiag.logs import clusters
from btdiag.logs.account import FileAccount
from btdiag.logs.clusters import Cluster
from btdiag.logs.event import CLOSED, RACE_S, Event, Fits
from btdiag.logs.products.common import path_class

AFTERMATH_S = 3.0
"""A crash or restart is followed by refused connections within this time (measured: within milliseconds)."""

_BUNCH_S = 1.0  # in-flight requests of one crash end together
_COLLATERAL_S = 1.0  # between a race and the first "no live upstreams" that follows from it
_ALIKE = 0.02  # durations so close to each other are a timeout's value
_UNREACHABLE = ("refused", "no_healthy_target")


@dataclass(slots=True, kw_only=True)
class JudgedFile:
    """One file, judged: its lines carry their kinds. `cluster` is where idle ages of lost requests gather, if they do,
    `proved` whether that proves the race; `candidates` are the lost requests that may be races."""

    account: FileAccount
    cluster: Cluster | None = None
    proved: bool = False
    likely: bool = False
    candidates: list[Event] = field(default_factory=list)
    timeouts_s: dict[str, float] = field(default_factory=dict)


def judge_log(account: FileAccount) -> JudgedFile:
    """Narrow every failing line of a file, and look for the race."""
    judged = JudgedFile(account=account)
    failures = account.failures
    _several_refused(failures)
    _whole_upstreams(account, failures)
    _timeouts(judged, failures)
    down = _down_moments(failures)
    _crashes(failures, down, account.resolution_s)
    _race(judged, down)
    _masked(account, down)
    _unavailable(account, failures, down)
    return judged


def _fits(event: Event, *kinds: str) -> bool:
    return any(kind in event.fits for kind in kinds)


def put_first(event: Event, *kinds: str) -> None:
    """Put the kinds that fit already in front; what does not fit is not added."""
    found = tuple(kind for kind in kinds if kind in event.fits)
    event.fits = found + tuple(kind for kind in event.fits if kind not in found)


def exclude(event: Event, *kinds: str) -> None:
    """Exclude kinds, unless nothing would be left."""
    left = tuple(kind for kind in event.fits if kind not in kinds)
    if left:
        event.fits = left


def _pool(event: Event) -> bytes:
    """Upstream, or where the log does not name it, the first words of the path: routes lead to pools."""
    return event.upstream or b"path " + path_class(event.path)


def _several_refused(failures: Sequence[Event]) -> None:
    """An error log has a line for each backend that refused one request: where several did, none may be there."""
    tried: dict[tuple[int, bytes], set[bytes]] = defaultdict(set)
    refused = [event for event in failures if not event.is_request and event.fits == ("refused",) and event.number]
    for event in refused:
        tried[event.number, event.path].add(event.upstream)
    for event in refused:
        if len(tried[event.number, event.path]) > 1:
            event.fits, event.sure = _UNREACHABLE, False


def _whole_upstreams(account: FileAccount, failures: Sequence[Event]) -> None:
    """Where every request of an upstream fails at once, it speaks another protocol or is not there: no race. Where it
    answers others, plain HTTP to a TLS port is out."""
    by_pool: dict[bytes, list[Event]] = defaultdict(list)
    for event in failures:
        if event.is_request and (_fits(event, "plain_to_tls_backend")):
            by_pool[_pool(event)].append(event)
    for pool, events in by_pool.items():
        named = bool(events[0].upstream)
        good = account.good_by_upstream[events[0].upstream] if named else account.good_by_path[pool[5:]]
        answered = good > 0 or any(event.made_by_backend and _pool(event) == pool for event in failures)
        for event in events:
            if answered:
                exclude(event, "plain_to_tls_backend")
            elif len(events) >= clusters.FEWEST and len({event.method for event in events}) > 1:
                exclude(event, "race")
                put_first(event, "plain_to_tls_backend", "tls_to_backend", "refused")


def _timeouts(judged: JudgedFile, failures: Sequence[Event]) -> None:
    """Waits of one length are a timeout's value: an answer timeout is told from a backend that hangs up by it."""
    waited = sorted(event.took for event in failures if event.took is not None and _fits(event, "upstream_timeout"))
    alike = [wait for wait in waited if _count(waited, wait * (1 - _ALIKE), wait * (1 + _ALIKE)) >= 2 and wait > 0.3]
    if alike:
        judged.timeouts_s["upstream_timeout"] = alike[len(alike) // 2]
    for event in failures:
        if event.took is None or not _fits(event, "upstream_timeout") or len(event.fits) == 1:
            continue
        if any(abs(wait - event.took) <= wait * _ALIKE for wait in alike[:1000]):
            put_first(event, "upstream_timeout", "connect_timeout")


def _count(values: Sequence[float], low: float, high: float) -> int:
    return bisect_right(values, high) - bisect_left(values, low)


def _down_moments(failures: Sequence[Event]) -> dict[bytes, list[float]]:
    """When connections were refused, by upstream, and under b"" by any."""
    moments: dict[bytes, list[float]] = defaultdict(list)
    for event in failures:
        fits = event.joined if event.joined is not None else event.fits
        if fits[0] in _UNREACHABLE or "refused" in fits[:2]:
            moments[event.upstream].append(event.start)
            if event.upstream:
                moments[b""].append(event.start)
    for each in moments.values():
        each.sort()
    return moments


def _followed(event: Event, down: dict[bytes, list[float]], reach: float = AFTERMATH_S) -> bool:
    """Were connections to its upstream refused soon after it failed?"""
    moments = down.get(event.upstream) or (down.get(b"") if not event.upstream else None)
    if not moments:
        return False
    index = bisect_left(moments, event.end - 1.0)
    return index < len(moments) and moments[index] <= event.end + reach


def _crashes(failures: Sequence[Event], down: dict[bytes, list[float]], resolution_s: float) -> None:
    """What was closed in flight: bunched, or followed by refusals, it was the backend that went away."""
    closed = [event for event in failures if _fits(event, "backend_crash")]
    ends = sorted(event.end for event in closed)
    for event in closed:
        bunched = _count(ends, event.end - _BUNCH_S, event.end + _BUNCH_S) >= 2
        followed = _followed(event, down)
        if followed:
            event.text = b"followed by refusals"
            put_first(event, "backend_crash", "backend_restart", "backend_closed")
        elif event.took is not None and event.took > RACE_S:
            put_first(event, *(("backend_closed", "backend_crash") if not bunched else ("backend_closed",)))


def _race(judged: JudgedFile, down: dict[bytes, list[float]]) -> None:
    account = judged.account
    failures = [event for event in account.failures if not event.retried]
    judged.candidates = [event for event in (*failures, *account.retried) if _is_candidate(event)]
    after_refusals = sum(_followed(event, down) for event in judged.candidates)
    known = [event for event in judged.candidates if event.age is not None]
    if not judged.candidates:
        return
    cluster = clusters.narrowest(
        [event.age for event in known if event.age is not None], account.good_ages, account.resolution_s, account.fresh
    )
    if cluster is None:
        return
    judged.cluster = cluster
    fine = account.resolution_s <= clusters.RELATIVE * cluster.k_s
    coarse = cluster.strongly and account.resolution_s * 2 <= cluster.k_s and _varied(judged.candidates)
    alone = after_refusals * 2 < len(judged.candidates)
    judged.proved = cluster.proves and alone and (fine or coarse)
    gathers = bool(cluster.known) or (cluster.proves and cluster.hits > clusters.FEWEST)
    judged.likely = not judged.proved and gathers and alone
    settle_races(judged, sure=True)


def _varied(candidates: Sequence[Event]) -> bool:
    """At different moments and on different routes: not one route that hangs up, nor one moment at which all ended."""
    moments = {int(event.end) for event in candidates}
    return len(moments) >= clusters.FEWEST_COARSE and len({path_class(event.path) for event in candidates}) >= 2


def again(judged: JudgedFile) -> None:
    """Look for the race once more where other files have narrowed what may be one."""
    if not judged.proved:
        _race(judged, _down_moments(judged.account.failures))


def _is_candidate(event: Event) -> bool:
    if event.retried:
        return event.took is None or event.took <= RACE_S
    fits = event.joined if event.joined is not None else event.fits
    if "race" not in fits or event.fresh is True:
        return False
    return event.took is None or event.took <= RACE_S


def settle_races(judged: JudgedFile, *, sure: bool) -> None:
    """Name the races where the gathering proves them, or is likely one."""
    if judged.cluster is None:
        return
    for event in judged.candidates:
        if not clusters.within(event.age, judged.cluster, judged.account.resolution_s):
            continue
        if event.retried and judged.proved and not event.fits:
            event.fits, event.sure = ("race_retried",), sure
            judged.account.failures.append(event)
        elif not event.retried and judged.proved and "race" in event.fits:
            event.fits, event.joined, event.sure = ("race",), None, sure
        elif judged.likely:
            put_first(event, "race")


def _masked(account: FileAccount, down: dict[bytes, list[float]]) -> None:
    """Retried at once on the same address, and answered: the first attempt rode a kept connection that was closed, for
    nothing else is tried twice there. Not where the backend went away just then."""
    for event in account.retried:
        if event.same_address and not event.fits and not _followed(event, down):
            event.fits = ("race_retried",)
            account.failures.append(event)
    account.failures.sort(key=lambda one: one.line)


def _unavailable(account: FileAccount, failures: Sequence[Event], down: dict[bytes, list[float]]) -> None:
    """No backend to go to: after refusals or a race the backends were set aside; beside good answers at the same time
    it is the limit."""
    races = sorted(event.end for event in failures if event.fits[0] == "race")
    outage_since: float | None = None
    for event in failures:
        if not (_fits(event, "no_healthy_target") and _fits(event, "overload")):
            continue
        collateral = bool(races) and clusters.nearest(races, event.end - _COLLATERAL_S / 2, _COLLATERAL_S)
        if collateral or _followed(event, down):
            outage_since = event.end
        good_around = (
            event.last_good is not None
            and event.next_good is not None
            and event.next_good - event.last_good < 2 * _BUNCH_S
        )
        set_aside = outage_since is not None and event.end - outage_since < 15
        if good_around and not set_aside:
            put_first(event, "overload")
        else:
            put_first(event, "no_healthy_target")


__all__ = ["CLOSED", "Fits", "JudgedFile", "again", "exclude", "judge_log", "put_first", "settle_races"]
