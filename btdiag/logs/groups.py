"""Files that tell of the same requests, counted once: the one that knows most speaks, the others add what it hides."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from btdiag.core.wording import enumerated
from btdiag.logs.event import Fits
from btdiag.logs.judging import JudgedFile
from btdiag.logs.rows import KindRow, rows_of


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerGroup:
    """One load balancer (a product on one node), all its files. `rows` count each failed request once; `requests` is
    None where there are only error logs."""

    product: str
    node: str
    files: tuple[JudgedFile, ...]
    speaker: JudgedFile
    rows: tuple[KindRow, ...]
    requests: int | None

    @property
    def shown(self) -> frozenset[str]:
        """The formats that were given."""
        return frozenset(one.account.format for one in self.files)


def groups_of(files: Sequence[JudgedFile]) -> list[BalancerGroup]:
    """The groups, in the order in which their first files were named."""
    parts: dict[tuple[str, str], list[JudgedFile]] = defaultdict(list)
    for one in files:
        if one.account.product:
            parts[one.account.product, one.account.node].append(one)
    return [_group(product, node, members) for (product, node), members in parts.items()]


def _group(product: str, node: str, members: Sequence[JudgedFile]) -> BalancerGroup:
    sets = _sets(members)
    speakers = [max(each, key=partial(_knowledge, most=max(one.account.requests for one in each))) for each in sets]
    rows = [row for one in speakers for row in rows_of(one)]
    access = any(one.account.requests for one in speakers)
    seen = Counter[str]()
    for row in rows:
        seen.update(dict.fromkeys(row.fits, row.count))
    for one in members:
        if one in speakers:
            continue
        rows += [row for row in rows_of(one) if not any(seen[kind] for kind in row.fits)]
        for row in rows_of(one):
            seen.update(dict.fromkeys(row.fits, row.count))
    return BalancerGroup(
        product=product,
        node=node,
        files=tuple(members),
        speaker=max(speakers, key=partial(_knowledge, most=0)),
        rows=tuple(rows),
        requests=sum(one.account.requests for one in speakers) if access else None,
    )


def _sets(members: Sequence[JudgedFile]) -> list[list[JudgedFile]]:
    """Files of the same time are views of the same requests; files of different times (rotated) each count."""
    access = [one for one in members if one.account.requests] or list(members)
    sets: list[list[JudgedFile]] = []
    for one in access:
        home = next((each for each in sets if any(_overlap(one, other) for other in each)), None)
        if home is None:
            sets.append([one])
        else:
            home.append(one)
    return sets


def _overlap(one: JudgedFile, other: JudgedFile) -> bool:
    """More than half of the shorter time in common."""
    first, second = one.account, other.account
    if first.first is None or second.first is None or first.last is None or second.last is None:
        return False
    common = min(first.last, second.last) - max(first.first, second.first)
    shorter = min(first.last - first.first, second.last - second.first)
    return common >= 0 and common * 2 >= shorter


def _knowledge(judged: JudgedFile, most: int) -> tuple[bool, bool, float, float]:
    """How much a file tells: a proof first, then most of the requests, narrow fits, fine time stamps."""
    account = judged.account
    narrow = -sum(len(event.fits) for event in account.failures[:5000]) / max(len(account.failures[:5000]), 1)
    return judged.proved, account.requests * 2 >= most, narrow, -account.resolution_s


def also(groups: Sequence[BalancerGroup], kinds: Iterable[str]) -> list[KindRow]:
    """The rows that may be of these kinds, though another kind fits first."""
    wanted = set(kinds)
    return [row for group in groups for row in group.rows if row.fits[0] not in wanted and wanted & set(row.fits)]


def fits_within(row: KindRow, kinds: Iterable[str]) -> bool:
    """Whether all that fits a row speaks against one claim."""
    return set(row.fits) <= set(kinds)


def kinds_in_words(fits: Fits) -> str:
    """The kinds for a reader: "race, crash or restart"."""
    return enumerated((kind.replace("_", " ") for kind in fits), "or")
