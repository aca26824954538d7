"""The pages in Chromium: accessible in light and dark, on a narrow screen, by keyboard alone, and without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from btdiag.core.finding import Verdict
from btdiag.core.report import Report
from btdiag.report.json_ import load
from btdiag.store.store import opened_store
from tests.report.test_real_browser import ARGUMENTS
from tests.support.tools import need
from tests.support.watching import Watcher, watcher

pytestmark = pytest.mark.real

GOLDEN = Path(__file__).parent.parent / "report" / "golden" / "failing.ndjson"
LONG = "https://a-data-plane-with-a-long-name.europe-west4.internal.customer.example.com/with/a/prefix"
STORIES = {
    "https://broken.example.com": "pppwpfffffff",
    LONG: "wfwfwfwfwfwfwfwfwfwfwfwfwf",
    "https://odd.example.com": "ppi",
    "https://healthy.example.com": "p" * 30,
    "https://new.example.com": "",
}
VERDICTS = {"p": Verdict.PASS, "w": Verdict.WARN, "f": Verdict.FAIL, "i": Verdict.INCONCLUSIVE}
LOOKS: tuple[tuple[str, Literal["light", "dark"]], ...] = (
    ("/", "light"),
    ("/", "dark"),
    (f"/target?url={LONG}", "light"),
    (f"/target?url={LONG}", "dark"),
    ("/?verdict=fail&q=nothing", "light"),
    ("/target?url=https://new.example.com", "dark"),
)
WIDTHS = (1200, 360)
FOCUSABLE = "a[href], button, input, select, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    """A server whose store tells of every verdict."""
    folder = tmp_path_factory.mktemp("page")
    report = load(GOLDEN.read_text())
    assert isinstance(report, Report)
    with opened_store(folder / "s.sqlite") as store:
        for url, story in STORIES.items():
            for minute, letter in enumerate(story):
                store.add(told(report, url, minute, VERDICTS[letter]), "quick")
        store.add(told(report, LONG, 59, Verdict.WARN))
    targets = [word for url in STORIES for word in ("--target", url)]
    with watcher(folder, *targets, "--any-target") as serving:
        yield serving


def told(report: Report, url: str, minute: int, verdict: Verdict) -> Report:
    """A run of that target, minute and verdict, with texts as long as they become."""
    headline = f"{verdict}: The backend closes idle connections earlier than the load balancer: " + "w" * 120
    checks = tuple(replace(check, verdict=verdict) for check in report.checks)
    run = replace(report.run, started_at=f"2026-11-24T09:{minute:02}:00Z", id=f"{minute:08x}")
    return replace(report, target={"url": url}, verdict=verdict, headline=headline, checks=checks, run=run)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = need("chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.mark.parametrize(("path", "scheme"), LOOKS)
def test_it_fits_is_silent_and_accessible(
    browser: Browser, watching: Watcher, path: str, scheme: Literal["light", "dark"]
) -> None:
    page = browser.new_page(color_scheme=scheme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(watching.url + path.removeprefix("/"))
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page).response
    assert [each["id"] for each in found["violations"]] == []
    assert "color-contrast" in {each["id"] for each in found["passes"]}
    assert said == []
    assert all(url.startswith((watching.url, "data:")) for url in asked)
    page.close()


def tabbed(page: Page) -> tuple[list[int], bool]:
    """Which of the elements that can be used the Tab key reaches, in its order, by their place in the document; and
    whether each of them shows that it has the focus."""
    count = page.locator(FOCUSABLE).count()
    reached, seen = [], True
    for _ in range(count):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            "all => { const one = document.activeElement;"
            " return [[...document.querySelectorAll(all)].indexOf(one), getComputedStyle(one).outlineStyle] }",
            FOCUSABLE,
        )
        reached.append(place)
        seen = seen and outline != "none"
    return reached, seen


def test_the_keyboard_reaches_everything(browser: Browser, watching: Watcher) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(watching.url)
    assert tabbed(page) == (list(range(page.locator(FOCUSABLE).count())), True)
    page.reload()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0"), "who is there is shown"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.keyboard.press("Tab")
    page.keyboard.type("BROKEN")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=BROKEN*")
    assert page.locator("main h2").all_inner_texts() == ["✗ fail https://broken.example.com"]
    page.goto(f"{watching.url}target?url={LONG}")
    open_first = page.locator("details").first
    open_first.locator("summary").focus()
    page.keyboard.press("Enter")
    assert open_first.get_attribute("open") is not None
    page.close()


def test_it_works_without_scripts(browser: Browser, watching: Watcher) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(watching.url)
    page.get_by_label("Verdict").select_option("fail")
    page.get_by_role("button", name="Show").click()
    assert page.locator("main h2").count() == 2
    page.get_by_role("link", name="Show all").click()
    assert page.locator("main h2").count() == len(STORIES)
    page.get_by_role("link", name="https://broken.example.com").click()
    folded = page.locator("details li a").first
    assert not folded.is_visible()
    page.locator("summary").first.click()
    page.get_by_role("link", name="its report").first.click()
    assert "/report/" in page.url
    assert page.locator("h1").is_visible()
    context.close()
