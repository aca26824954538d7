"""Telemetry gets out, is stopped by its path alone, or cannot be told apart from a host that is not reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.config.stated import SYSADMIN
from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.resolution import AddressSource, Resolution
from btdiag.core.target import DeclaredSetting, Mode, Target
from btdiag.families.egress.facts import TELEMETRY, Egress, HostTrial, hosts
from btdiag.families.egress.plan import planned
from btdiag.families.telemetry.facts import ENDPOINTS, SysadminAnswers
from btdiag.families.telemetry.judge import endpoint_is_reachable, sysadmin_endpoints_are_off
from tests import factories

PLACE = Target(url="https://x.example", scheme="https", host="x.example", port=443, role="data-plane")
HOST = hosts(PLACE)[0]
HTML = (("content-type", "text/html"),)
BLOCK = "<html><head><title>Blocked</title></head><body>This site is blocked.</body></html>"


def seen(status: int | None, body: str = "{}", trouble: Trouble | None = None, method: str = "GET") -> Exchange:
    return factories.exchange(
        method=method,
        url=HOST.url + TELEMETRY,
        status=status,
        headers=HTML if body.startswith("<") else (("content-type", "application/json"),),
        body=body,
        failure=Failure(phase=Phase.HEADERS, trouble=trouble, detail="broke off") if trouble else None,
    )


WELL = seen(200)
RESET, LOCAL, PAGE = seen(None, trouble=Trouble.RESET), seen(None, trouble=Trouble.LOCAL), seen(403, BLOCK)


def trial(telemetry: Exchange | None, answer: Exchange | None = WELL, api: Exchange = WELL) -> Egress:
    found = Resolution(name=HOST.name, source=AddressSource.RESOLVER, addresses=("192.0.2.1",))
    return Egress(trials=(HostTrial(host=HOST, resolution=found, answer=answer, api=api, telemetry=telemetry),))


@pytest.mark.parametrize(
    ("egress", "verdict"),
    [
        (trial(seen(401)), Verdict.PASS),
        (trial(seen(404)), Verdict.PASS),
        (trial(seen(405, "<html><title>405</title>Method Not Allowed</html>")), Verdict.PASS),
        (trial(LOCAL), Verdict.PASS),
        (trial(PAGE), Verdict.WARN),
        (trial(RESET), Verdict.WARN),
        (trial(PAGE, answer=PAGE), Verdict.SKIP),
        (trial(RESET, answer=RESET), Verdict.SKIP),
        (trial(RESET, api=RESET), Verdict.SKIP),
        (trial(None, answer=None), Verdict.SKIP),
        (Egress(trials=()), Verdict.SKIP),
        (NotMeasured(reason="the budget ended first"), Verdict.INCONCLUSIVE),
    ],
)
def test_verdict(egress: Egress | NotMeasured, verdict: Verdict) -> None:
    finding = endpoint_is_reachable(egress, PLACE)
    assert finding.verdict is verdict
    if verdict is Verdict.WARN:
        assert len(finding.answer) <= 90
        assert finding.remedy is not None


def test_only_the_data_plane_sends_telemetry() -> None:
    for role in (None, "sdk", "browser", "build"):
        place = replace(PLACE, role=role)
        assert endpoint_is_reachable(trial(RESET), place).verdict is Verdict.SKIP
        assert not any(TELEMETRY in line for line in planned(place, Mode()))
    assert any(TELEMETRY in line for line in planned(PLACE, Mode()))


OFF = replace(PLACE, settings=(DeclaredSetting(name=SYSADMIN, value="true", where="values.yaml line 4"),))


@pytest.mark.parametrize(
    ("first", "second", "unknown", "verdict"),
    [
        (404, 404, 404, Verdict.PASS),
        (200, 404, 404, Verdict.WARN),
        (404, 200, 404, Verdict.WARN),
        (200, 200, 200, Verdict.SKIP),
        (401, 404, 404, Verdict.SKIP),
        (401, 401, 401, Verdict.SKIP),
        (None, 404, 404, Verdict.SKIP),
    ],
)
def test_sysadmin_endpoints(first: int | None, second: int, unknown: int, verdict: Verdict) -> None:
    answers = [factories.exchange(status=status) for status in (first, second)]
    given = SysadminAnswers(
        trials=tuple(zip(ENDPOINTS, answers, strict=True)), unknown=factories.exchange(status=unknown)
    )
    finding = sysadmin_endpoints_are_off(OFF, given)
    assert finding.verdict is verdict, finding.summary
    if verdict is Verdict.WARN:
        assert "values.yaml line 4" in finding.summary
        assert finding.remedy is not None


def test_sysadmin_endpoints_that_nobody_declares_or_measures() -> None:
    unknown = NotMeasured(reason="the budget ended first")
    assert sysadmin_endpoints_are_off(PLACE, unknown).verdict is Verdict.SKIP
    assert sysadmin_endpoints_are_off(OFF, unknown).verdict is Verdict.INCONCLUSIVE
