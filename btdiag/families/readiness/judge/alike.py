"""Is it one server that answers? The same question again and again, alone and several at once: what differs, and how
often. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from btdiag.core import evidence
from btdiag.core.answers import (
    Roots,
    exchange_proofs,
    facts_of,
    in_words,
    is_gateway_hiccup,
    root_readings,
    unanswered,
)
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, HopName, Owner, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import json_body, page, redirect
from btdiag.families.readiness.facts import Repeats
from btdiag.families.readiness.plan import bad_answers, fails_at_once, fine_alone, fine_slowly
from btdiag.families.readiness.remedy import limit_remedy, mixed_remedy, versions_remedy

ONE_SERVER = "readiness.answers-are-one-servers"
LIMITED = "Several requests at once are refused: a limit for each client stands in front of the API"
PerRepeats = PerAddress[Repeats] | NotMeasured
PerRoots = PerAddress[Roots] | NotMeasured
PerExchange = PerAddress[Exchange] | NotMeasured
_SOURCES = (
    "RFC 9110 section 15",
    "https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html",
    "https://nginx.org/en/docs/http/ngx_http_limit_req_module.html",
)


def answers_are_one_servers(roots: PerRoots, version: PerExchange, repeats: PerRepeats) -> Finding:
    """The claim of readiness.answers-are-one-servers: the same question gets the same answer, however often and by how
    many at once it is asked."""
    gate = unanswered(root_readings(roots, version))
    if gate is not None:
        return gate
    again = facts_of(repeats)
    found = _limited(roots, again) or _mixed(roots, version, again) or _two_versions(version, again)
    if found is not None:
        return found
    if not again:
        reason = repeats.reason if isinstance(repeats, NotMeasured) else "nothing was asked again"
        return Finding(verdict=Verdict.INCONCLUSIVE, summary=reason)
    return _one(roots, version, again)


def blocked_by_mixture(roots: PerRoots, version: PerExchange, repeats: PerRepeats) -> Finding | None:
    """A skip where what else is seen depends on which of several servers, or how many at once, were asked; else
    None."""
    found = _limited(roots, facts_of(repeats)) or _mixed(roots, version, facts_of(repeats))
    if found is None or found.verdict is not Verdict.FAIL:
        return None
    return Finding(verdict=Verdict.SKIP, summary=found.answer, because=ONE_SERVER)


def serves_several_versions(version: PerExchange, repeats: PerRepeats) -> frozenset[str]:
    """The addresses behind which several versions of the API answer."""
    return frozenset(label for label, known in _versions(version, facts_of(repeats)).items() if len(known) > 1)


def _limited(roots: PerRoots, again: Mapping[str, Repeats]) -> Finding | None:
    """Good when alone, each time; bad when several ask at once, time after time."""
    first = facts_of(roots)
    for label, one in again.items():
        asked = (*(first[label].exchanges[1:] if label in first else ()), *one.at_once)
        if fine_alone(one.alone) and bad_answers(one.at_once) and fails_at_once(asked):
            return _limit(label, one, asked)
        if fine_slowly(one.slowly) and fails_at_once(asked) and not one.at_once:
            return _slow_limit(label, one, asked)
    return None


def _slow_limit(label: str, one: Repeats, asked: Sequence[Exchange]) -> Finding:
    """A limit that btdiag's other requests use up as well: only what is asked slowly, and alone, is answered well."""
    failed, quick = bad_answers(asked), bad_answers(one.alone)
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(failed)} of {len(asked)} GET / sent at once on {label} got {in_words(failed[0])}, and "
        f"{len(quick)} of {len(one.alone)} one after the other beside other requests; with nothing else under way, "
        f"three a second, "
        f"{len(one.slowly)} of {len(one.slowly)} were answered well: the gateway limits the rate of requests, and no "
        "server behind it is broken",
        answer=LIMITED,
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the same answer at ten requests a second: the web app sends many at once",
        seen=f"{len(failed)} of {len(asked)} failed at once; {len(one.slowly)} were good slowly",
        evidence=(
            _table(label, {"at once": asked, "in a row": one.alone, "slowly": one.slowly}),
            *exchange_proofs(failed[0]),
        ),
        remedy=limit_remedy(failed[0], by_rate=True),
        sources=_SOURCES,
    )


def _limit(label: str, one: Repeats, asked: Sequence[Exchange]) -> Finding:
    by_rate = not fine_alone(one.in_a_row)
    failed = bad_answers(asked)
    kind = "the rate of requests" if by_rate else "the number of requests at once"
    rate = f", and {len(bad_answers(one.in_a_row))} of {len(one.in_a_row)} in quick succession" if by_rate else ""
    alone = f"{len(one.alone) - len(bad_answers(one.alone))} of {len(one.alone)}"
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"{len(failed)} of {len(asked)} GET / sent several at once on {label} got {in_words(failed[0])}{rate}; "
        f"alone, one after the other, {alone} were answered well: the gateway limits {kind}, and no server behind it "
        "is broken",
        answer=LIMITED,
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected="the same answer, whether one or five requests are under way: the web app sends many at once",
        seen=f"{len(failed)} of {len(asked)} failed at once; {alone} were good alone",
        evidence=(
            _table(label, {"at once": asked, "alone": one.alone, "in a row": one.in_a_row}),
            *exchange_proofs(failed[0]),
        ),
        remedy=limit_remedy(failed[0], by_rate),
        sources=_SOURCES,
    )


def _mixed(roots: PerRoots, version: PerExchange, again: Mapping[str, Repeats]) -> Finding | None:
    """Two kinds of answers to one question on one address, none of which is a gateway's word for a dead server."""
    for label, first in facts_of(roots).items():
        one = again.get(label, Repeats())
        front = (*first.exchanges, *one.alone)
        of_version = facts_of(version).get(label)
        tellers = (*((of_version,) if of_version else ()), *one.versions)
        for path, seen, kind in (("/", front, _root_kind), ("/version", tellers, _version_kind)):
            kinds = Counter(kind(each) for each in seen if _tells(each))
            if len(kinds) > 1:
                return _applications(label, path, seen, kinds, kind(seen[0]))
    return None


def _applications(label: str, path: str, seen: Sequence[Exchange], kinds: Counter[str], usual: str) -> Finding:
    told = "; ".join(f"{count} of {kinds.total()}: {kind}" for kind, count in kinds.most_common())
    kind = _root_kind if path == "/" else _version_kind
    shown = [next(one for one in seen if _tells(one) and kind(one) == each) for each in kinds]
    return Finding(
        verdict=Verdict.FAIL,
        summary=f"the same GET {path} on {label} gets different answers by turns ({told}): more than one server, or "
        "more than one set of rules, stands behind this address",
        answer="Different servers answer the same request by turns: what works once fails the next time",
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        expected=f"the same answer to GET {path} every time",
        seen=told,
        evidence=(
            _table(label, {"one question": seen}),
            *(proof for one in shown[:2] for proof in exchange_proofs(one)),
        ),
        remedy=mixed_remedy(),
        sources=_SOURCES[:1],
    )


def _two_versions(version: PerExchange, again: Mapping[str, Repeats]) -> Finding | None:
    for label, known in _versions(version, again).items():
        if len(known) > 1:
            told = "; ".join(f"{count} of {known.total()}: {name}" for name, count in known.most_common())
            return Finding(
                verdict=Verdict.WARN,
                summary=f"GET /version on {label} names {len(known)} versions by turns ({told})",
                answer="API servers of different versions answer by turns",
                hop=HopName.API,
                owner=Owner.API,
                expected="one version behind one address, but for the minutes of an upgrade",
                seen=told,
                evidence=(evidence.table(f"GET /version on {label}", ("version", "times"), list(known.items())),),
                remedy=versions_remedy(),
                sources=("https://www.braintrust.dev/docs/admin/self-hosting",),
            )
    return None


def _versions(version: PerExchange, again: Mapping[str, Repeats]) -> dict[str, Counter[str]]:
    first = facts_of(version)
    return {
        label: Counter(
            name
            for seen in (*((first[label],) if label in first else ()), *one.versions)
            if (name := version_name(seen))
        )
        for label, one in again.items()
    }


def _one(roots: PerRoots, version: PerExchange, again: Mapping[str, Repeats]) -> Finding:
    asked = sum(len(one.versions) for one in again.values()) + len(facts_of(version))
    fronts = sum(len(one.exchanges) for one in facts_of(roots).values())
    where = "one address" if len(again) == 1 else f"{len(again)} addresses"
    return Finding(
        verdict=Verdict.PASS,
        summary=f"nothing tells of a second server in {fronts} answers to GET / and {asked} to GET /version on {where}",
    )


def _tells(seen: Exchange) -> bool:
    """Whether an answer says who answers: no breakdown, no gateway's word for a dead server, no limit."""
    return seen.failure is None and not is_gateway_hiccup(seen) and seen.status != 429 and (seen.status or 0) < 500


def _root_kind(seen: Exchange) -> str:
    """What tells one application from another at /, without what may differ from one answer of it to the next."""
    if redirect(seen) is not None:
        return f"{seen.status} to another place"
    return in_words(seen) + (", a web page" if page(seen) and (seen.status or 0) >= 400 else "")


def _version_kind(seen: Exchange) -> str:
    return f"{seen.status} in JSON" if json_body(seen) is not None else in_words(seen)


def version_name(seen: Exchange) -> str:
    """Version and commit that GET /version names, "" where it names none."""
    body = json_body(seen)
    if seen.failure is not None or seen.status != 200 or not isinstance(body, dict):
        return ""
    return " ".join(str(body[key])[:40] for key in ("version", "commit") if body.get(key))


def _table(label: str, asked: Mapping[str, Sequence[Exchange]]) -> Evidence:
    rows = [
        (how, in_words(one), one.header("server") or "", one.started_at) for how, all_ in asked.items() for one in all_
    ]
    return evidence.table(f"Asked again on {label}", ("how", "answer", "server", "at"), rows[:60])
