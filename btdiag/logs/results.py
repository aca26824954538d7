"""How a check of family `logs` is put into words: what several of them share. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from btdiag.logs.claims import Claim
from btdiag.logs.groups import BalancerGroup, kinds_in_words
from btdiag.logs.house import CheckResult, Evidence, Remedy, Verdict, evidence
from btdiag.logs.quoting import Quoter
from btdiag.logs.rows import KindRow

_FAMILY = "logs"
_SHOWN_ROWS = 12


def claim_result(claim: Claim, verdict: Verdict, summary: str, *, evidence: Sequence[Evidence] = (),
           remedy: Remedy | None = None, because: str | None = None, seen: str = "", expected: str = "",
           answer: str | None = None) -> CheckResult:  # fmt: skip
    """A result in the words of its claim."""
    bad = verdict in (Verdict.FAIL, Verdict.WARN)
    return CheckResult(
        id=claim.id,
        family=_FAMILY,
        title=claim.title,
        why=claim.why,
        verdict=verdict,
        summary=summary,
        answer=(claim.answer if answer is None else answer) if bad else "",
        hop=claim.hop,
        owner=claim.owner,
        because=because,
        expected=expected,
        seen=seen,
        evidence=tuple(evidence),
        remedy=remedy,
        sources=claim.sources,
    )


def totals(groups: Sequence[BalancerGroup]) -> int | None:
    """The requests of groups, each counted once; None where only error logs were given."""
    known = {id(group): group.requests for group in groups if group.requests is not None}
    return sum(known.values()) if known else None


def added(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    """Several tallies in one."""
    total = Counter[str]()
    for each in counts:
        total.update(each)
    return total


def kind_proofs(rows: Sequence[KindRow], quoter: Quoter) -> list[Evidence]:
    """What a reader can check: by upstream, by path, and the lines themselves."""
    table = [
        (kinds_in_words(row.fits), f"{row.count:,}", "yes" if row.sure else "no", name or "-", row.file)
        for row in rows[:_SHOWN_ROWS]
        for name in [", ".join(f"{key} ({count:,})" for key, count in list(row.upstreams.items())[:4])]
    ]
    found = [evidence.table("What fits, how often, where", ("what fits", "count", "sure", "upstream", "file"), table)]
    paths = added(row.paths for row in rows).most_common(6)
    if paths:
        found.append(evidence.table("By path", ("path", "count"), [(name, f"{count:,}") for name, count in paths]))
    quoted = quoter.lines(rows)
    if quoted:
        found.append(evidence.text("Lines that show it", quoted))
    return found
