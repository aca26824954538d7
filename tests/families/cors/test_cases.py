"""Every exchange seen in Chromium against the judge: tests/cases/cors*.jsonl, one JSON object a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from btdiag.families.cors.fetch import CorsError, Credentials, PageRequest, RawResponse, http_fetch
from btdiag.families.cors.fetch.http_fetch import FetchOutcome

API = "https://api.example/call"
CASES = [
    json.loads(line)
    for path in sorted((Path(__file__).parent / "cases").glob("cors*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]


def page_request(case: dict[str, Any]) -> PageRequest:
    asked = case["request"]
    return PageRequest(
        origin=asked["origin"],
        method=asked["method"],
        headers=tuple(asked["headers"].items()),
        credentials=Credentials(asked["credentials"]),
    )


def raw(answer: dict[str, Any], method: str) -> RawResponse:
    """The servers of the cases sent a Content-Length with everything that may have one."""
    length = () if answer["status"] == 204 or method.startswith("OPTIONS ") else (("Content-Length", "2"),)
    return RawResponse(status=answer["status"], headers=(*map(tuple, answer["headers"]), *length))


def judged(case: dict[str, Any]) -> FetchOutcome:
    def answers(method: str, url: str) -> RawResponse:
        if case.get("landed") and url.endswith(case["landed"]["path"]):
            return raw(case["landed"], method)
        bare = {"status": 204, "headers": []}
        allowed = {"status": 200, "headers": [["Access-Control-Allow-Origin", case["request"]["origin"]]]}
        preflight = method.startswith("OPTIONS ")
        return raw((case["preflight"] or bare) if preflight else (case["response"] or allowed), method)

    return http_fetch(page_request(case), API, answers)


def seen(outcome: FetchOutcome) -> dict[str, Any]:
    """The outcome in the words of the case files. A redirected preflight has no code there."""
    refusal = outcome.refusal
    code = None if refusal is None or refusal.error is CorsError.PREFLIGHT_REDIRECT else refusal.error.value
    first = ",".join(outcome.preflights[0]) if outcome.preflights else ""
    return {
        "allowed": outcome.allowed,
        "status": outcome.status,
        "readable": list(outcome.readable) if outcome.allowed else None,
        "cors_error": code,
        "failed_parameter": None if refusal is None or code is None else refusal.parameter,
        "preflight_sent": bool(outcome.preflights),
        "request_headers_asked": first or None,
        "actual_sent": outcome.actual_sent,
    }


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_judge_says_what_chromium_said(case: dict[str, Any]) -> None:
    assert seen(judged(case)) == case["chromium"]
