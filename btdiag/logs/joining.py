"""Puts the lines of several files together that tell of one request: access logs in several formats, and the error log.

Matched by request id, by nginx connection number, by client port, else by method, path and time. What one file leaves
open the other may settle; a line that is sure stays as it is. Files of several nodes are never one pool: each keeps its
own idle ages. Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

from btdiag.logs import judging
from btdiag.logs.event import Event, Fits
from btdiag.logs.judging import JudgedFile

_SLACK_S = 0.3  # between an error log's line and the access log's, which comes when the answer is out
_MOST = 64  # neighbours that are looked at


def join(files: Sequence[JudgedFile]) -> None:
    """Let files of one case settle what each alone leaves open; changes `joined` of their events."""
    for group in _groups(files):
        if len(group) < 2:
            continue
        for one in group:
            for other in group:
                if one is not other:
                    _settle(one, other)
        for one in group:
            judging.again(one)
        for one in group:
            for other in group:
                if one is not other and other.proved and not (one.proved):
                    _settle(one, other)


def _groups(files: Sequence[JudgedFile]) -> Iterable[list[JudgedFile]]:
    """Files that can tell of the same requests: of one product and node. The combined format may be Apache's too."""
    apache = any(one.account.product == "apache" for one in files)
    nginx = any(one.account.product == "nginx" and one.account.format not in _PLAIN for one in files)
    groups: dict[tuple[str, str], list[JudgedFile]] = defaultdict(list)
    for one in files:
        account = one.account
        if account.format in _PLAIN and apache and not nginx:
            account.product, account.format = "apache", account.format.replace("nginx", "apache")
        groups[account.product, account.node].append(one)
    return groups.values()


_PLAIN = frozenset({"nginx-combined", "nginx-common"})


def fits_by_all(event: Event) -> Fits:
    """What fits an event by all files."""
    return event.joined if event.joined is not None else event.fits


class _Index:
    """The failing and retried requests of one file, found by what names them."""

    def __init__(self, judged: JudgedFile) -> None:
        self._by_name: dict[bytes, list[tuple[float, int, Event]]] = defaultdict(list)
        self.slack = judged.account.resolution_s + _SLACK_S
        for number, event in enumerate((*judged.account.failures, *judged.account.retried)):
            for name in _names(event):
                self._by_name[name].append((event.end, number, event))
        for each in self._by_name.values():
            each.sort(key=lambda entry: entry[:2])

    def find(self, event: Event, resolution_s: float) -> list[Event]:
        """The events of the same request; several where one request has several lines, or names do not tell."""
        slack = self.slack + resolution_s
        for name in _names(event):
            entries = self._by_name.get(name)
            if not entries:
                continue
            index = bisect_left(entries, (event.end - slack, -1))
            near = [one for end, _, one in entries[index : index + _MOST] if end <= event.end + slack]
            if near:
                return near
        return []


def _names(event: Event) -> list[bytes]:
    """What can name its request in another file, the surest first."""
    names = []
    if event.ident:
        names.append(b"id " + event.ident)
    if event.number and event.path:
        names.append(b"nr %d " % event.number + event.path)
    if b":" in event.client and event.path:
        names.append(b"port " + event.client + b" " + event.path.partition(b"?")[0])
    if event.path:
        names.append(event.method + b" " + event.path)
        names.append(b"path " + event.path.partition(b"?")[0])
    if (event.status and not event.path) or event.status:
        names.append(b"status %d" % event.status)
    return names


def _settle(one: JudgedFile, other: JudgedFile) -> None:
    """Narrow the events of one file by those of another."""
    index = _Index(other)
    for event in one.account.failures:
        fits = fits_by_all(event)
        if event.sure or len(fits) == 1:
            continue
        near = index.find(event, one.account.resolution_s)
        if not near:
            continue
        said = {_said(each, other) for each in near}
        allowed = {kind for each in said for kind in each}
        left = tuple(kind for kind in fits if kind in allowed)
        if left:
            first = next(iter(said))
            ordered = tuple(kind for kind in first if kind in left) if len(said) == 1 else left
            event.joined = ordered
        _lend(event, near)


def _said(event: Event, judged: JudgedFile) -> Fits:
    if event.retried and not event.fits:
        return ("race_retried", *judging.CLOSED[:-1]) if judged.proved else ("race_retried", "race")
    return fits_by_all(event)


def _lend(event: Event, near: Sequence[Event]) -> None:
    """Age, duration and upstream from the line that has them."""
    if len(near) != 1:
        return
    lender = near[0]
    if event.age is None and "race" in fits_by_all(event):
        event.age = lender.age
    if event.took is None:
        event.took = lender.took
    if not event.upstream:
        event.upstream = lender.upstream
    if not event.method:
        event.method = lender.method
