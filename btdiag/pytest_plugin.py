"""btdiag in a pytest suite: `pytest --btdiag-target URL` has every check as an item, and fixtures for tests.

Every pytest run of this environment loads this file: it imports nothing and changes nothing until a target is named.
What happens then is in `pytest_suite`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from btdiag.api import RunReport
    from btdiag.core.target import Target
    from btdiag.pytest_suite import Suite


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; without a target none of them means anything."""
    group = parser.getgroup("btdiag", "checks of a Braintrust data plane")
    group.addoption(
        "--btdiag-target", action="append", metavar="URL", help="a data plane's API URL, or lab:SCENARIO (repeatable)"
    )
    group.addoption("--btdiag-profile", metavar="FILE", help="settings file, as that of btdiag run --profile")
    group.addoption("--btdiag-only", action="append", metavar="PATTERN", help="these checks alone: family, id or glob")
    group.addoption(
        "--btdiag-fail-on",
        choices=("fail", "inconclusive", "warn", "never"),
        help="the least verdict that fails an item (default: the profile's, else fail)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """With a target, what makes the items takes part in the run."""
    if config.getoption("btdiag_target"):
        from btdiag.pytest_suite import suite_of

        config.addinivalue_line("markers", "btdiag: a check of btdiag")
        config.pluginmanager.register(suite_of(config), "btdiag-suite")


def _suite(config: pytest.Config) -> Suite:
    suite: Suite | None = config.pluginmanager.get_plugin("btdiag-suite")
    if suite is None:
        pytest.skip("no data plane is named: give --btdiag-target URL")
    return suite


@pytest.fixture(scope="session")
def btdiag_target(request: pytest.FixtureRequest) -> Target:
    """The data plane that --btdiag-target names (each of them in turn): its `url`, `host`, what was declared of it."""
    suite = _suite(request.config)
    return suite.target(getattr(request, "param", suite.urls[0]))


@pytest.fixture(scope="session")
def btdiag_report(btdiag_target: Target, request: pytest.FixtureRequest) -> RunReport:
    """The report on that data plane, measured once a session: `btdiag_report["cors.web-app-may-call"].verdict`."""
    return _suite(request.config).report_on(btdiag_target)


@pytest.fixture(scope="session")
def btdiag_client(btdiag_target: Target) -> Iterator[httpx.Client]:
    """An httpx client on the measured way to that data plane (its CA, proxy, addresses, headers; not the API key)."""
    from btdiag.pytest_suite import client_for_tests

    with client_for_tests(btdiag_target) as client:
        yield client
