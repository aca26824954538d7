"""The volleys of a run as evidence: a strip for a terminal, a table, and points for a plot."""

from __future__ import annotations

from statistics import median

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Json
from btdiag.core.shot import Ending
from btdiag.families.keepalive.facts import Race, Volley, strip
from btdiag.families.keepalive.order import Order

CONTROL_STEP = 5  # of the controls every fifth request is plotted, and each lost one
_NAMES = {"W": "warmup", "C": "control", "M": "control", "H": "control", "A": "race", "B": "control"}


def race_evidence(race: Race, order: Order) -> tuple[Evidence, ...]:
    """All there is to show, the shortest first."""
    return (strips(race), _table(race), _users(race), timeline(race, order))


def strips(race: Race) -> Evidence:
    """One line for each volley at the age of the race, in sending order."""
    lines = [f"{period.volley.age_s or 0.0:8.3f} s  {strip(period.volley)}" for period in race.periods]
    return evidence.text("Volleys by idle age (X lost, . answered, ? no answer)", "\n".join(lines) or "none was fired")


def _in_order(race: Race) -> list[Volley]:
    volleys = (*race.controls, *(period.volley for period in race.periods))
    return sorted(volleys, key=lambda volley: volley.at_s)


def _table(race: Race) -> Evidence:
    rows = [
        [_NAMES[one.name], f"{one.at_s:.3f}", _age(one), one.sent, one.lost, one.hung, _median_ms(one)]
        for one in _in_order(race)
    ]
    columns = ["volley", "at s", "idle s", "sent", "lost", "silent", "median ms"]
    return evidence.table(f"Requests to {race.path} on {race.label}", columns, rows)


def _median_ms(volley: Volley) -> str:
    """Of the answers: longer where connections to the backend had to be opened, as in the warm-up, than where they were
    reused, as in the controls."""
    return f"{1000 * median(volley.durations):.1f}" if volley.durations else ""


def _age(volley: Volley) -> str:
    return "new" if volley.age_s is None else f"{volley.age_s:.3f}"


def _users(race: Race) -> Evidence:
    """Which requests were lost: proxies retry GET, so whoever tests with GET alone sees nothing."""
    rows = []
    for method in ("POST", "GET"):
        counts = [period.volley.of(method) for period in race.with_hits]
        rows.append([method, sum(lost for lost, _ in counts), sum(sent for _, sent in counts)])
    return evidence.table("What users lose, in the volleys with losses", ["method", "lost", "sent"], rows)


def timeline(race: Race, order: Order) -> Evidence:
    """The idle age of each connection and its outcome, as data for a plot."""
    points: list[Json] = [
        {"age_s": shot.age_s or 0.0, "outcome": shot.signature, "volley": _NAMES[volley.name]}
        for volley in _in_order(race)
        for number, shot in enumerate(volley.shots)
        if shot.ending is not Ending.UNSENT and (volley.name == "A" or shot.lost or number % CONTROL_STEP == 0)
    ]
    balancer_s = order.balancer.closes_after_s if order.balancer else None
    data: Json = {"k_s": order.backend.closes_after_s, "lb_idle_s": balancer_s, "points": points}
    return Evidence(kind="timeline", title="Idle age and outcome of each request", data=data)
