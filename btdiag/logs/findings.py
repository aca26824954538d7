"""The checks of family `logs`: from the rows of all groups to results. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from btdiag.logs import advice, times
from btdiag.logs.claims import CLAIM_OF, CLAIMS, HIDDEN, RACE, READ, SAMPLED, SHOWN_BY, Claim, ToldTimeouts
from btdiag.logs.event import KINDS
from btdiag.logs.groups import BalancerGroup, also, fits_within, kinds_in_words
from btdiag.logs.house import CheckResult, Remedy, Verdict
from btdiag.logs.judging import JudgedFile
from btdiag.logs.quoting import Quoter
from btdiag.logs.race import race_result
from btdiag.logs.results import added, claim_result, kind_proofs, totals
from btdiag.logs.rows import KindRow

_MANY = 1_000  # requests from which on a share says more than two numbers


def claim_results(
    groups: Sequence[BalancerGroup], files: Sequence[JudgedFile], told: ToldTimeouts, quoter: Quoter
) -> tuple[CheckResult, ...]:
    """One result for each claim, in the order of the claims."""
    found = [
        race_result(groups, claim, told, quoter) if claim.id == RACE else _result(groups, claim, quoter)
        for claim in CLAIMS
    ]
    return (*_caused(found, groups), _lines(files))


def _result(groups: Sequence[BalancerGroup], claim: Claim, quoter: Quoter) -> CheckResult:
    rows = [(group, row) for group in groups for row in group.rows if row.fits[0] in claim.kinds]
    sure = [(group, row) for group, row in rows if fits_within(row, claim.kinds)]
    unsure = [(group, row) for group, row in rows if not fits_within(row, claim.kinds)]
    if sure:
        return _broken(claim, sure, unsure, quoter)
    if unsure:
        return _undecided(claim, unsure, quoter)
    return _held(groups, claim)


def _broken(
    claim: Claim, sure: list[tuple[BalancerGroup, KindRow]], unsure: list[tuple[BalancerGroup, KindRow]], quoter: Quoter
) -> CheckResult:
    lost = sum(row.count for _, row in sure)
    total = totals([group for group, _ in sure])
    kinds = Counter[str]()
    for _, row in sure:
        kinds[row.kind] += row.count
    main = kinds.most_common(1)[0][0]
    entries = _entries(lost, total)
    said = f"{entries} {_was(lost)} {KINDS[main]}{_moments([row for _, row in sure])}{_whom([row for _, row in sure])}"
    if len(kinds) > 1:
        said += "; " + ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds.most_common())
    said += _sampled([group for group, _ in sure])
    if unsure:
        said += f"; {sum(row.count for _, row in unsure):,} more fit as well"
    return claim_result(
        claim, claim.verdict, said, evidence=kind_proofs([row for _, row in sure + unsure], quoter),
        remedy=Remedy(text=f"{claim.action}.", action=claim.action), seen=_seen(sure),
    )  # fmt: skip


def _undecided(claim: Claim, unsure: list[tuple[BalancerGroup, KindRow]], quoter: Quoter) -> CheckResult:
    lost = sum(row.count for _, row in unsure)
    total = totals([group for group, _ in unsure])
    widest = max((row for _, row in unsure), key=lambda row: row.count)
    group = next(group for group, row in unsure if row is widest)
    said = (
        f"{_entries(lost, total)} failed{_moments([row for _, row in unsure])}, and the log leaves open whether each"
        f" was {kinds_in_words(widest.fits)}"
    )
    return claim_result(
        claim, Verdict.INCONCLUSIVE, said, evidence=kind_proofs([row for _, row in unsure], quoter),
        remedy=advice.settling(group.product, group.shown),
    )  # fmt: skip


def _held(groups: Sequence[BalancerGroup], claim: Claim) -> CheckResult:
    blind = [group for group in groups if all(_hides(group, kind) for kind in claim.kinds)]
    if groups and len(blind) == len(groups):
        where = SHOWN_BY.get(groups[0].product, "another log")
        return claim_result(claim, Verdict.SKIP, f"These logs do not show it; {where} would")
    open_rows = also(groups, claim.kinds)
    if open_rows:
        first = CLAIM_OF[max(open_rows, key=lambda row: row.count).kind].id
        count = sum(row.count for row in open_rows)
        said = f"Left open with {first}: {count:,} requests there may be of this kind as well"
        return claim_result(claim, Verdict.SKIP, said, because=first)
    total = totals(groups)
    asked = f"none of {total:,} requests" if total else "no line"
    return claim_result(claim, Verdict.PASS, f"{asked[0].upper()}{asked[1:]} tells of it")


def _hides(group: BalancerGroup, kind: str) -> bool:
    return all(kind in HIDDEN.get(name, ()) for name in group.shown)


def _caused(found: list[CheckResult], groups: Sequence[BalancerGroup]) -> list[CheckResult]:
    """Backends set aside after a race are the race's doing: one cause, one failure."""
    race = next(one for one in found if one.id == RACE)
    if race.verdict is not Verdict.FAIL:
        return found
    rows = [row for group in groups for row in group.rows if row.kind == "no_healthy_target"]
    if not rows or not all(row.kind in ("race", "race_retried", "no_healthy_target") for group in groups
                           for row in group.rows if row.kind in ("race", "no_healthy_target", "refused")):  # fmt: skip
        return found
    return [_follows(one, race) if one.id == "logs.backend-takes-connections" else one for one in found]


def _follows(one: CheckResult, race: CheckResult) -> CheckResult:
    said = f"{one.summary}; because {race.id} failed: the load balancer set the backend aside for a lost connection"
    return replace(one, verdict=Verdict.SKIP, because=race.id, summary=said, answer="")


def _lines(files: Sequence[JudgedFile]) -> CheckResult:
    cut = sum(one.account.malformed for one in files)
    total = sum(one.account.lines for one in files)
    if not cut:
        return claim_result(READ, Verdict.PASS, f"All {total:,} lines were read")
    where = ", ".join(
        f"{one.account.path} line {', '.join(map(str, one.account.malformed_lines))}"
        for one in files
        if one.account.malformed
    )
    verdict = Verdict.WARN if cut * 100 > total else Verdict.PASS
    return claim_result(READ, verdict, f"{cut:,} of {total:,} lines are cut or in no known format: {where[:300]}")


def _entries(lost: int, total: int | None) -> str:
    if total is None or lost > total:
        return f"{lost:,} line{'s' * (lost != 1)} of the error log tell of requests that"
    return (
        f"{lost:,} of {total:,} requests ({lost / total:.2%})" if total >= _MANY else f"{lost:,} of {total:,} requests"
    )


def _sampled(groups: Sequence[BalancerGroup]) -> str:
    """For logs that may hold a part of the requests only: the share is what counts."""
    if not any(group.shown & SAMPLED for group in groups):
        return ""
    return "; these logs may be a sample, so that the share counts and not the number"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _moments(rows: Sequence[KindRow]) -> str:
    since, until = min(row.since for row in rows), max(row.until for row in rows)
    begun, ended = times.shown(float(int(since))), times.shown(float(int(until)))
    return f" at {begun}" if begun == ended else f" between {begun} and {ended}"


def _whom(rows: Sequence[KindRow]) -> str:
    """By method and upstream where one stands out."""
    methods = added(row.methods for row in rows)
    return f" ({', '.join(f'{count:,} {name}' for name, count in methods.most_common(3))})" if methods else ""


def _seen(rows: Sequence[tuple[BalancerGroup, KindRow]]) -> str:
    upstreams = added(row.upstreams for _, row in rows)
    return ", ".join(f"{name}: {count:,}" for name, count in upstreams.most_common(4))
