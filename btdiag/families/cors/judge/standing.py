"""What the CORS claims stand on: the addresses whose API answers at all, and the ways in which the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from btdiag.core import evidence, sender
from btdiag.core.answers import AnswerState, state_of
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Evidence, Finding, Verdict
from btdiag.families.cors.facts import CorsSurvey, CorsTrial, Purpose
from btdiag.families.cors.problems import key_opens

ROOT = "readiness.root-answers"
MAY_CALL = "cors.web-app-may-call"
_SHOWN = (
    "location",
    "server",
    "vary",
    "via",
    "www-authenticate",
    "allow",
    "cache-control",
    "age",
    "x-cache",
)


BY_TURNS = (
    "readiness.answers-are-one-servers",
    "readiness.every-address-agrees",
    "readiness.answers-steadily",
    "readiness.api-stays-up",
)
"""What fails where GET / is answered well one time, and not the next."""


@dataclass(frozen=True, slots=True)
class Ground:
    """`alive` are the surveys to judge by. `stop` is the finding of a claim that cannot be judged at all."""

    alive: dict[str, CorsSurvey]
    stop: Finding | None


def ground(surveys: Mapping[str, CorsSurvey]) -> Ground:
    """Leave out the addresses whose `GET /` (without any origin) fails: that is no CORS matter, and another check's."""
    alive = {label: survey for label, survey in surveys.items() if _is_alive(survey)}
    if alive:
        return Ground(alive, None)
    if any(trial.exchange.status == 429 for survey in surveys.values() for trial in survey.trials):
        limited = "The API answers 429 (rate limited), so nothing is known of its CORS; run btdiag again later"
        return Ground(alive, Finding(verdict=Verdict.INCONCLUSIVE, summary=limited))
    return Ground(alive, _behind_dead_root(surveys))


def _behind_dead_root(surveys: Mapping[str, CorsSurvey]) -> Finding:
    first = next(iter(surveys.values()))
    trial = next(t for t in first.trials if t.purpose is Purpose.PLAIN)
    seen = trial.exchange
    what = str(seen.status) if seen.status is not None else (seen.failure.detail if seen.failure else "nothing")
    return Finding(
        verdict=Verdict.SKIP,
        because=ROOT,
        unless=BY_TURNS,
        summary=f"{seen.method} {urlsplit(seen.url).path or '/'} is answered {what}, so the API is not to be seen: "
        "what a browser reports as CORS is a symptom of that",
        evidence=(evidence.exchange(seen),),
    )


def _is_alive(survey: CorsSurvey) -> bool:
    """By the very rule of that check: a web page at / will do where /version answers in JSON. And a login that only
    bare requests meet keeps nobody from the API who has a key."""
    if key_opens(survey):
        return True
    speaks_json = any(
        trial.path == "/version" and sender.json_body(trial.exchange) is not None for trial in survey.trials
    )
    plain = [trial.exchange for trial in survey.of(Purpose.PLAIN)]
    return any(state_of(seen, page_allowed=speaks_json) is AnswerState.GOOD for seen in plain)


def where(trials: Sequence[CorsTrial], surveys: Mapping[str, CorsSurvey]) -> str:
    """How far something reaches, in words: the routes and the addresses out of all."""
    labels = sorted({trial.exchange.label for trial in trials})
    paths = list(dict.fromkeys(trial.path for trial in trials))
    alike = [
        t
        for s in surveys.values()
        for t in s.trials
        if (t.purpose, t.preflight) in {(x.purpose, x.preflight) for x in trials}
    ]
    all_paths = {trial.path for trial in alike}
    routes = f"on all {len(all_paths)} routes" if len(paths) == len(all_paths) > 1 else f"on {', '.join(paths[:4])}"
    routes += f" and {len(paths) - 4} more" if len(paths) > 4 and len(paths) != len(all_paths) else ""
    if len(surveys) == 1:
        return f"{routes} at {labels[0]}"
    if len(labels) == len(surveys):
        return f"{routes} at all {len(labels)} addresses"
    return f"{routes} at {len(labels)} of {len(surveys)} addresses ({', '.join(labels)})"


def spoken(trial: CorsTrial) -> str:
    """The request in words: "the preflight for POST /btql", "GET /"."""
    verb = f"{trial.page.method} {trial.path.partition('?')[0]}"
    version = " over HTTP/2" if trial.exchange.http_version == "HTTP/2" else ""
    return (f"the preflight for {verb}" if trial.preflight else verb) + version


def cors_headers(seen: Exchange) -> str:
    """The lines of a response that matter to CORS, as they came."""
    lines = [
        f"{name}: {value}"
        for name, value in seen.headers
        if name.lower().startswith("access-control-") or name.lower() in _SHOWN
    ]
    return "\n".join([f"{seen.http_version or 'HTTP'} {seen.status} {seen.reason}".strip(), *lines])


def trial_proofs(trial: CorsTrial, expected: str) -> tuple[Evidence, ...]:
    """A trial as evidence: the command, what is expected against what came, and the whole exchange."""
    seen = trial.exchange
    return (
        evidence.curl(seen),
        evidence.table("Expected against seen", ("expected", "seen"), ((expected, cors_headers(seen)),)),
        evidence.exchange(seen),
    )
