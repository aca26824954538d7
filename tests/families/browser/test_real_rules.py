"""Debian's Chromium as the referee of the rules: which ports and schemes it refuses by itself."""

from __future__ import annotations

import asyncio
import shutil

import pytest
from playwright.async_api import async_playwright

from btdiag.families.browser.judge.ports import ALLOWED_BY_CHROMIUM, BAD_PORTS
from btdiag.families.lna.plan import QUIET

pytestmark = pytest.mark.real

NEIGHBOURS = {near for port in BAD_PORTS for near in (port - 1, port, port + 1) if near >= 0} | {
    80,
    443,
    8080,
    8443,
    65535,
}
PAGE = "https://www.braintrust.dev/"
TRY = """async (urls) => { for (const url of urls) { try { await fetch(url); } catch (error) {} } }"""


async def errors(urls: list[str]) -> dict[str, str]:
    """What Chromium says to each URL when an https page asks for it: a net error, or "mixed-content"."""
    seen: dict[str, str] = {}
    switches = [*QUIET, "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        page = await browser.new_page()
        await page.route(PAGE + "**", lambda route: route.fulfill(content_type="text/html", body="<!doctype html>"))
        await page.goto(PAGE)
        await page.unroute_all()
        page.on("requestfailed", lambda request: seen.update({request.url: request.failure or ""}))
        await page.evaluate(TRY, urls)
        await browser.close()
    return seen


def test_chromium_refuses_exactly_these_ports() -> None:
    urls = {port: f"https://nowhere.invalid:{port}/" for port in sorted(NEIGHBOURS) if port != 443}
    seen = asyncio.run(errors(list(urls.values())))
    assert len(seen) == len(urls)
    assert {
        port for port, url in urls.items() if seen[url] == "net::ERR_UNSAFE_PORT"
    } == BAD_PORTS - ALLOWED_BY_CHROMIUM


def test_chromium_blocks_the_same_schemes() -> None:
    blocked = ["http://nowhere.invalid:8080/", "http://203.0.113.7:8080/", "http://notlocalhost:8080/"]
    tried = ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://api.localhost:8080/", "http://10.0.0.5:8080/"]
    seen = asyncio.run(errors([*blocked, *tried]))
    assert {url for url, error in seen.items() if error == "mixed-content"} == set(blocked)
    assert set(seen) == {*blocked, *tried}
