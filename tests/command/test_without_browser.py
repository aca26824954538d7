"""What a run without a browser still has to find of what only browsers meet. The scenarios whose rules need none at all
are run so with the others; these are the ones that a browser is started for there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.cli import btdiag, run_json

SCENARIOS = {entry["name"]: entry for entry in json.loads(btdiag("lab", "--list", "--format", "json").out)}
STILL_FOUND: dict[str, dict[str, str]] = {
    "gateway-without-a-name": {"browser.page-gets-its-answers": "fail"},
    "private-insecure-page": {"lna.page-context-allows": "fail"},
    "private-cors-broken": {"cors.web-app-may-call": "fail"},
    "private-tls-broken": {"connection.tls-is-trusted": "fail"},
    "dns-split-horizon": {"dns.addresses-share-a-space": "warn"},
    "private": {},
}
FAMILIES = ("browser", "lna", "cors.web-app-may-call", "connection.tls-is-trusted", "dns")


@pytest.mark.parametrize("name", STILL_FOUND)
def test_what_needs_no_browser_is_found_without_one(name: str) -> None:
    only = [word for family in FAMILIES for word in ("--only", family)]
    done = run_json(f"lab:{name}", *only, *SCENARIOS[name]["options"], "--quick", "--browser", "none")
    found = {one: verdict for one, verdict in done.verdicts.items() if verdict in {"fail", "warn"}}
    assert found == STILL_FOUND[name]
    assert _browser(done.report) != "ok", "a tick where no browser was asked"


def _browser(report: dict[str, Any]) -> str:
    """What the picture of the way says of the browser; "" where it does not show one."""
    return next((str(hop["state"]) for hop in report["path"] if hop["hop"] == "browser"), "")


def test_a_healthy_way_shows_no_browser_where_none_was_asked() -> None:
    done = run_json("lab:healthy", "--only", "browser", "--quick", "--browser", "none")
    assert done.verdicts["browser.scheme-is-secure"] == "pass"
    assert _browser(done.report) == ""
