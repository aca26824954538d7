"""The HTML report in Chromium: what matters is on the first screen, nothing overflows, runs, or asks the network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from btdiag.core.finding import Evidence, Json, Remedy, Snippet, Verdict
from btdiag.core.report import CheckResult, Report, ReportSet, RunInfo, Vantage
from btdiag.report import html, verdicts
from btdiag.report.documents import Difference, Document, Merged
from btdiag.report.headline import answer_of, headline
from btdiag.report.path import path_of
from tests.support.tools import need

pytestmark = pytest.mark.real

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]
SCREENS = [(360, 640), (1024, 768), (1920, 1080)]
URL = "https://braintrust-data-plane.internal.example.com/prefix"
RACE: list[Json] = [
    {"age_s": 65.9 + n / 1000, "outcome": "ok" if n % 7 else "502", "volley": "race"} for n in range(200)
]
CONTROL: list[Json] = [{"age_s": n / 1000, "outcome": "ok", "volley": "control"} for n in range(50)]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FAULT = CheckResult(
    id="keepalive.backend-outlives-load-balancer",
    family="keepalive",
    title="The backend keeps an idle connection open longer than the load balancer does.",
    why="Clients see a 502 though the API server is healthy and logs nothing.",
    verdict=Verdict.FAIL,
    summary="the backend closes idle connections after 66.0 s, the load balancer keeps them for 300 s: 28 of 200 lost",
    hop="load balancer",
    owner="data plane operator",
    expected="backend above 300 s",
    seen="66.0 s",
    rerun=f"btdiag run --target {URL} --only keepalive.backend-outlives-load-balancer",
    remedy=Remedy(
        text="Set TS_API_KEEP_ALIVE_TIMEOUT_SECONDS to 310 on the API pods, the idle timeout plus ten seconds.",
        snippets=(Snippet(product="nginx", code="keepalive_timeout 310s;" + " # a long line" * 20),),
    ),
    sources=("https://nodejs.org/api/http.html#serverkeepalivetimeout",),
    evidence=(
        Evidence(
            kind="timeline", title="The race", data={"k_s": 66.0, "lb_idle_s": 300.0, "points": [*RACE, *CONTROL]}
        ),
        Evidence(kind="table", title="Wide", data={"headers": ["h" * 30] * 9, "rows": [["cell" * 9] * 9] * 9}),
        Evidence(
            kind="matrix",
            title="Cells",
            data={"rows": ["a"], "columns": list("bcdef"), "cells": [[{"state": v, "text": "t"} for v in Verdict]]},
        ),
        Evidence(kind="image", title="A picture", data=PIXEL),
        Evidence(kind="text", title="Long", data="W" * 5_000 + "\n<script>alert(1)</script>"),
    ),
)
OTHERS = tuple(
    CheckResult(id=f"dns.{verdict}", family="dns", title="t", verdict=verdict, summary="s" * 200, waived=waived)
    for verdict in Verdict
    if verdict is not Verdict.FAIL
    for waived in (None, "known")
)


def report_of(*checks: CheckResult, host: str = "laptop") -> Report:
    return Report(
        tool_version="0.1.0",
        run=RunInfo(
            id="r",
            started_at="2026-11-24T09:00:00Z",
            duration_s=70.0,
            longest_wait_s=66.0,
            interrupted=False,
            options={},
            exit_code=1,
            requests_sent=1,
            vantage=Vantage(hostname=host, platform="Linux", python="3.11"),
        ),
        target={"url": URL},
        verdict=verdicts.overall(checks),
        root_cause=verdicts.root_cause(checks),
        headline=headline(checks, url=URL),
        counts=verdicts.counts(checks),
        path=path_of(checks),
        checks=checks,
        not_seen=("n" * 300,),
    )


FULL = report_of(FAULT, *OTHERS)
HEALTHY = report_of(replace(OTHERS[2], verdict=Verdict.PASS, waived=None), host="pod")
DOCUMENTS: dict[str, Document] = {
    "full": FULL,
    "healthy": HEALTHY,
    "set": ReportSet(verdict=Verdict.FAIL, headline="1 of 2", reports=(FULL, HEALTHY)),
    "merge": Merged(
        verdict=Verdict.FAIL,
        headline="differs",
        reports=(FULL, HEALTHY),
        differences=(Difference(what="dns.resolves", values=(("laptop", "fail"), ("pod", "pass")), meaning="m"),),
    ),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = need("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(params=DOCUMENTS)
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    page = tmp_path / "report.html"
    page.write_text(html.render(DOCUMENTS[request.param]), encoding="utf-8")
    return page


def opened(browser: Browser, file: Path, size: tuple[int, int], scheme: Literal["light", "dark"]) -> Page:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SCREENS)
def test_it_fits_is_silent_and_accessible(
    browser: Browser, file: Path, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response
    assert [each["id"] for each in found["violations"]] == []
    assert "color-contrast" in {each["id"] for each in found["passes"]}
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    page.close()


@pytest.mark.parametrize("size", SCREENS[:2])
def test_the_first_screen_tells_verdict_cause_hop_owner_and_remedy(
    browser: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    file = tmp_path / "report.html"
    file.write_text(html.render(FULL), encoding="utf-8")
    page = opened(browser, file, size, "light")
    assert FAULT.remedy is not None
    wanted = ["FAIL", answer_of(FAULT), FAULT.id, FAULT.hop, FAULT.owner, FAULT.remedy.text]
    header = page.locator("header")
    shown = header.inner_text()
    assert [text for text in wanted if text not in shown] == []
    box = header.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= size[1]
    page.close()


def test_nothing_overlaps(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html.render(FULL), encoding="utf-8")
    page = opened(browser, file, (360, 640), "light")
    boxes = page.eval_on_selector_all(
        ".hop, .finding, header", "all => all.map(e => e.getBoundingClientRect().toJSON())"
    )
    for one in boxes:
        for other in boxes:
            apart = one["bottom"] <= other["top"] + 1 or other["bottom"] <= one["top"] + 1
            assert one == other or apart or one["right"] <= other["left"] or other["right"] <= one["left"]
    page.close()


def test_print_opens_what_is_folded(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(html.render(FULL), encoding="utf-8")
    page = opened(browser, file, (1024, 768), "light")
    assert not page.locator(".waterfall").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".waterfall").is_visible()
    page.close()
