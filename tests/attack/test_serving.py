"""A sample of what `make attack` does to a serving process for minutes."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from btdiag.serve import connections
from tests.attack.serving import besiege, crowd, kill


@pytest.fixture
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_hostile_requests_find_nothing(tmp_path: Path) -> None:
    siege = besiege(tmp_path, 200, at_once=100)
    assert siege.wrong == []
    assert siege.tally.statuses["200"] > 10


@pytest.mark.usefixtures("many_files")
def test_a_crowd_is_turned_away_but_for_some(tmp_path: Path) -> None:
    assert crowd(tmp_path, 2 * connections.MOST_OPEN).wrong == []


def test_whoever_is_killed_has_lost_no_run(tmp_path: Path) -> None:
    assert kill(tmp_path, 2) == []
