"""Files that are one log, written one after another: what each is too short to prove, all together may. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.logs.judging import JudgedFile, gathering_of, refused_after, settle_races, suffices


def race_over(group: Sequence[JudgedFile]) -> None:
    """Look for the race in each rotated set among the files of one load balancer."""
    for parts in _rotated(group):
        _race_in(parts)


def share_their_time(one: JudgedFile, other: JudgedFile) -> bool:
    """Whether two files tell of the same time: more than half of the shorter one in common."""
    first, second = one.account, other.account
    if first.first is None or second.first is None or first.last is None or second.last is None:
        return False
    common = min(first.last, second.last) - max(first.first, second.first)
    shorter = min(first.last - first.first, second.last - second.first)
    return common >= 0 and common * 2 >= shorter


def _rotated(group: Sequence[JudgedFile]) -> list[list[JudgedFile]]:
    """The sets of more than one file: of one format, each of a time of its own."""
    sets: list[list[JudgedFile]] = []
    for one in group:
        home = next((each for each in sets if _belongs(one, each)), None)
        if home is None:
            sets.append([one])
        else:
            home.append(one)
    return [each for each in sets if len(each) > 1]


def _belongs(one: JudgedFile, parts: Sequence[JudgedFile]) -> bool:
    return parts[0].account.format == one.account.format and not any(share_their_time(one, each) for each in parts)


def _race_in(parts: Sequence[JudgedFile]) -> None:
    """Mark the race in all files of a set, where its lost requests gather at one age."""
    candidates = [event for one in parts for event in one.candidates]
    cluster = gathering_of(parts)
    if cluster is None or all(one.proved for one in parts):
        return
    resolution_s = max(one.account.resolution_s for one in parts)
    alone = sum(map(refused_after, parts)) * 2 < len(candidates)
    if not alone or not suffices(cluster, candidates, resolution_s):
        return
    for one in parts:
        if one.candidates:
            one.cluster, one.proved, one.likely = cluster, True, False
            settle_races(one, sure=True)
