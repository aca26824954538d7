"""The API must keep idle connections open for longer than every load balancer that holds some.

Where it closes first, a request may meet a closing connection: a 502 that no log explains. The API closes after 65 s
unless TS_API_KEEP_ALIVE_TIMEOUT_SECONDS says otherwise; neither chart nor module sets it. "Match or exceed", as the
guide says, leaves a race where both are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from btdiag.lint.balancers import USUAL_S
from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Position
from btdiag.lint.rules.variables import KEEPALIVE
from btdiag.lint.subjects import DeclaredBalancer, Hit, Setting, Subjects

DEFAULT_S = 65
_DAY_S = 86_400
_WRONG = {
    "gateway": "only the API reads it, not the AI gateway",
    "brainstore": "only the API reads it, not Brainstore",
    "lambda": "a Lambda function keeps no connections: only the API on ECS reads it",
}


def check(subjects: Subjects) -> Iterator[Hit]:
    """The value itself, its place, and each load balancer against it."""
    found = [(variables.role, one) for variables in subjects.variables if (one := variables.get(KEEPALIVE))]
    for role, setting in found:
        yield from _placed(role, setting)
    values = [setting for role, setting in found if role in ("api", "any", "other")]
    for setting in values:
        yield from _value(setting)
        if not subjects.balancers:
            yield from _low(setting)
    for balancer in subjects.balancers:
        yield from _against(balancer, values, subjects)


def _placed(role: str, setting: Setting) -> Iterator[Hit]:
    if role in _WRONG and setting.place is not None:
        yield Hit(
            rule="keepalive.is-set-on-the-api",
            verdict=Verdict.WARN,
            place=setting.place,
            key=setting.key,
            summary=f"{KEEPALIVE} has no effect here: {_WRONG[role]}",
            remedy="Set it on the API: api.extraEnvVars (Helm), braintrust_api_extra_env_vars (Terraform).",
        )


def _low(setting: Setting) -> Iterator[Hit]:
    """No load balancer is declared: those that wait the usual 60 s are what is to be expected."""
    seconds = _seconds(setting)
    if seconds is not None and seconds <= USUAL_S and setting.place is not None:
        yield Hit(
            rule="keepalive.outlives-the-load-balancer",
            verdict=Verdict.WARN,
            place=setting.place,
            key=setting.key,
            summary=f"{seconds:g} s is no more than the {USUAL_S} s for which ALBs and ingress-nginx keep idle"
            " connections unless told otherwise",
            expected=f"more than the load balancer's idle timeout; {DEFAULT_S} s is the default",
            seen=f"{seconds:g} s",
            remedy=f"Set {KEEPALIVE} above the load balancer's idle timeout, or leave it out.",
        )


def _value(setting: Setting) -> Iterator[Hit]:
    if setting.place is None or setting.text is None:
        return
    seconds = _seconds(setting)
    if seconds is not None:
        if seconds > _DAY_S:
            yield _milliseconds(setting, setting.place, seconds)
        return
    yield Hit(
        rule="keepalive.is-a-number",
        verdict=Verdict.FAIL,
        place=setting.place,
        key=setting.key,
        summary=f'"{setting.text[:40]}" is no number of seconds above zero',
        expected="whole seconds, above the load balancer's idle timeout",
        seen=setting.text[:40],
        remedy=f"Set {KEEPALIVE} to whole seconds.",
    )


def _milliseconds(setting: Setting, place: Position, seconds: float) -> Hit:
    return Hit(
        rule="keepalive.is-a-number",
        verdict=Verdict.WARN,
        place=place,
        key=setting.key,
        summary=f"{KEEPALIVE} is in seconds: {seconds:g} is more than a day, milliseconds are meant, it seems",
        expected="whole seconds, above the load balancer's idle timeout",
        seen=f"{seconds:g}",
        remedy=f"Write {seconds / 1000:g}." if seconds >= 10_000 else "Write seconds.",
    )


def _seconds(setting: Setting) -> float | None:
    text = (setting.text or "").strip()
    return float(text) if re.fullmatch(r"\d{1,7}(\.\d{1,3})?", text) and float(text) > 0 else None


def _against(balancer: DeclaredBalancer, values: list[Setting], subjects: Subjects) -> Iterator[Hit]:
    if any(setting.text is None for setting in values):
        return  # only another tool knows it
    seconds = [number for setting in values if (number := _seconds(setting)) is not None]
    if values and not seconds:
        return
    if not values and not balancer.of_module and not _api_is_here(subjects):
        return
    keep = min(seconds, default=float(DEFAULT_S))
    if keep > balancer.idle_s:
        return
    lowest = next((setting for setting in values if _seconds(setting) == keep), None)
    place = lowest.place if lowest is not None and lowest.place is not None else balancer.place
    wanted = int(balancer.idle_s) + (10 if balancer.idle_s <= 600 else 20)
    declared = f"{keep:g} s" if lowest else f"{keep:g} s, the default"
    relation = "as long as" if keep == balancer.idle_s else "a shorter time than"
    there = f"{balancer.idle_s:g} s, {balancer.place.file}:{balancer.place.line}"
    yield Hit(
        rule="keepalive.outlives-the-load-balancer",
        verdict=Verdict.WARN if keep == balancer.idle_s else Verdict.FAIL,
        place=place,
        key=lowest.key if lowest is not None else balancer.key,
        summary=f"the API keeps idle connections {declared}, {relation} {balancer.name} ({there}):"
        " requests will meet closing connections",
        expected=f"more than {balancer.idle_s:g} s",
        seen=f"{keep:g} s",
        remedy=f"Set {KEEPALIVE} to {wanted} on the API.",
        fix=f'"{wanted}"' if lowest is not None else None,
    )


def _api_is_here(subjects: Subjects) -> bool:
    """Whether the API's own variables would stand in what was read, so that their absence means the default."""
    return bool(subjects.releases) or any(one.role == "api" for one in subjects.containers)
