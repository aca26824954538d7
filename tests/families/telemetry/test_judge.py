"""Telemetry gets out, is stopped by its path alone, or cannot be told apart from a host that is not reached."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.resolution import AddressSource, Resolution
from btdiag.core.target import Mode, Target
from btdiag.families.egress.facts import TELEMETRY, Egress, HostTrial, hosts
from btdiag.families.egress.plan import planned
from btdiag.families.telemetry.judge import endpoint_is_reachable
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
