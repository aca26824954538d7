"""Whose limits count: those where btdiag runs, unless a lab is tested."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from btdiag.config.declared import MAX_REQUESTS
from btdiag.core.target import DeclaredSetting, Target
from btdiag.families.ratelimit.probe import outbound_limit

TARGET = Target(
    url="https://api.example.com",
    scheme="https",
    host="api.example.com",
    port=443,
    settings=(DeclaredSetting(name=MAX_REQUESTS, value="100", where="values.yaml line 7"),),
)


def test_the_environment_outweighs_a_file_and_reaches_no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_REQUESTS, "7")
    here = asyncio.run(outbound_limit(TARGET)).max_requests
    assert here is not None
    assert (here.value, here.where) == ("7", "where btdiag runs")
    lab = asyncio.run(outbound_limit(replace(TARGET, lab_scenario="healthy"))).max_requests
    assert lab is not None
    assert (lab.value, lab.where) == ("100", "in values.yaml line 7")


def test_what_nobody_sets_is_not_known() -> None:
    found = asyncio.run(outbound_limit(replace(TARGET, settings=())))
    assert (found.max_requests, found.window_minutes) == (None, None)
