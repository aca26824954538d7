"""For every test: how long one example takes says nothing on a machine that runs other tests at the same time, and the
same commit is tried with the same examples; `pytest -m hypothesis --hypothesis-profile=explore` looks for new ones.

With `--reruns 1` a test that fails is looked at twice, for real servers and volleys share the machine with each other.
What passed at the second look is shown and counted: more than a few are no busy machine but a fault."""

import socket

import pytest
from hypothesis import settings

settings.register_profile("explore", deadline=None, max_examples=1000)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

MOST_LOOKED_AT_TWICE = 3  # of all tests of one session
AGAIN = pytest.StashKey[list[str]]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Counts, and sends at once what pytest-rerunfailures asks its controller before each test: what it writes without
    waiting for an answer would make the next question wait for a delayed acknowledgement, 40 ms a test."""
    line = getattr(getattr(config, "failures_db", None), "sock", None)
    if line is not None:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    again: list[str] = []
    config.stash[AGAIN] = again
    config.pluginmanager.register(_Counter(again), "looked-at-twice")


class _Counter:
    def __init__(self, again: list[str]) -> None:
        self._again = again

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome: str = report.outcome
        if outcome == "rerun":  # pytest-rerunfailures' own
            self._again.append(f"{report.nodeid}\n{report.longreprtext}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if len(session.config.stash[AGAIN]) > MOST_LOOKED_AT_TWICE:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if again := config.stash[AGAIN]:
        terminalreporter.section(f"looked at twice: {len(again)}, of {MOST_LOOKED_AT_TWICE} at most")
        for one in again:
            terminalreporter.line(one)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes minutes is run where it is asked for by name, as in `pytest -m slow`. Files that wait most come first:
    with `--no-loadscope-reorder` the many short tests fill the time that those leave."""
    first = {item.path for item in items if item.get_closest_marker("real") or item.path.parent.name == "command"}
    items.sort(key=lambda item: (item.path.stem != "test_scenarios", item.path not in first))
    if "slow" not in str(config.option.markexpr):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if item not in slow]
        config.hook.pytest_deselected(items=slow)
