"""The checks as items of somebody's pytest session: each tells its line of the report, as pytest says such things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult
from btdiag.engine.checks import Check
from btdiag.report import verdicts
from btdiag.report.escape import plain
from btdiag.report.junit import details
from btdiag.report.path import hop_of

if TYPE_CHECKING:
    from btdiag.pytest_suite import Suite


class BtdiagWarning(pytest.PytestWarning):
    """A check that warns, where --btdiag-fail-on does not make that a failure."""


class Checks(pytest.Collector):
    """The checks that lie elsewhere than in the suite."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.items: list[pytest.Item] = []

    def collect(self) -> list[pytest.Item]:
        """The items that were made of them."""
        return self.items


class CheckFile(pytest.File):
    """The checks of a file check_*.py beside the tests."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.items: list[pytest.Item] = []

    def collect(self) -> list[pytest.Item]:
        """The items that were made of them."""
        return self.items


class CheckItem(pytest.Item):
    """One check on one target."""

    def __init__(self, *, suite: Suite, check: Check, url: str, **more: Any) -> None:
        super().__init__(**more)
        self.suite = suite
        self.check = check
        self.url = url
        self.add_marker("btdiag")

    def runtest(self) -> None:
        """Say what the run found, as pytest says such things."""
        result = self.suite.report(self.url)[self.check.id]
        self.user_properties[:] = _properties(result, self.url)
        match _outcome(result, self.suite.fail_on):
            case "fail":
                raise CheckFailedError(result)
            case "warn":
                self.warn(BtdiagWarning(f"{result.id}: {plain(result.summary)}"))
            case "xfail":
                pytest.xfail(f"{result.verdict}: {plain(result.summary)}")
            case "skip":
                accepted = f"accepted: {result.waived}: " if result.waived else ""
                raise pytest.skip.Exception(plain(f"{accepted}{result.summary}"), _use_item_location=True)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The finding as text; a traceback only of what is no finding."""
        if isinstance(excinfo.value, CheckFailedError):
            return ToldFinding(excinfo.value.result)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the check stands."""
        code = self.check.function.__code__
        return Path(code.co_filename), code.co_firstlineno - 1, f"btdiag {self.name}"


def _outcome(result: CheckResult, fail_on: str) -> str:
    """What an item comes to: "fail", "warn", "xfail", "skip" or "pass"."""
    if result.waived is not None or result.verdict is Verdict.SKIP:
        return "skip"
    if verdicts.counts_at(result, fail_on) or verdicts.crashed(result):
        return "fail"
    return {Verdict.PASS: "pass", Verdict.WARN: "warn"}.get(result.verdict, "xfail")


def _properties(result: CheckResult, url: str) -> list[tuple[str, object]]:
    """What JUnit XML and others show of an item beside its outcome."""
    remedy = (result.remedy.action or result.remedy.text) if result.remedy else ""
    told = [("id", result.id), ("target", url), ("verdict", str(result.verdict))]
    told += [("hop", hop_of(result)), ("owner", result.owner), ("remedy", remedy)]
    return [(name, plain(value)) for name, value in told if value]


class CheckFailedError(AssertionError):
    """A check that fails its item."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(plain(result.summary))
        self.result = result


@dataclass(frozen=True, slots=True)
class Crash:
    """What summaries show of a failure: one line, and where."""

    message: str
    path: str = ""
    lineno: int = 0


class ToldFinding:
    """A finding as pytest shows a failure: all of it in its place, the first line in summaries."""

    def __init__(self, result: CheckResult) -> None:
        self._text = details(result)
        self.reprcrash = Crash(plain(result.answer or result.summary))

    def toterminal(self, tw: Any) -> None:
        """Write it."""
        tw.line(self._text)

    def __str__(self) -> str:
        return self._text
