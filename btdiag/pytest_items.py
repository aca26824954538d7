"""The checks as items of somebody's pytest session: all that are selected are measured in one run, then each says what
that run found. Collecting and judging are those of `btdiag run` (engine/session.py); an item tells its line of the
report."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from btdiag.api import RunReport, as_program_report, measured, settings_of
from btdiag.config import UsageError
from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.core.target import Target
from btdiag.engine import labhost
from btdiag.engine.catalogue import catalogue
from btdiag.engine.checks import Check
from btdiag.engine.run import chosen, resolve_targets
from btdiag.report import json_, verdicts
from btdiag.report.escape import plain
from btdiag.report.junit import details
from btdiag.report.path import hop_of

if TYPE_CHECKING:
    import httpx

SHARED = "btdiag_shared"
"""The folder in which workers of xdist find the reports: a key of what their controller gives them."""


class BtdiagWarning(pytest.PytestWarning):
    """A check that warns, where --btdiag-fail-on does not make that a failure."""


def suite_of(config: pytest.Config) -> Suite:
    """What the command line of pytest asks for; a mistake in it ends pytest with one line."""
    options = {
        "profile": config.getoption("btdiag_profile"),
        "only": config.getoption("btdiag_only"),
        "fail_on": config.getoption("btdiag_fail_on"),
    }
    with _told():
        return Suite(config, config.getoption("btdiag_target"), options)


@contextmanager
def client_for_tests(target: Target) -> Iterator[httpx.Client]:
    """The client for tests; a target that cannot be reached fails the test with one line."""
    from btdiag.engine.reaching import OutOfReachError, reaching_client

    try:
        with reaching_client(target) as client:
            yield client
    except OutOfReachError as error:
        pytest.fail(f"btdiag_client: {plain(str(error))}", pytrace=False)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        raise pytest.UsageError(f"btdiag: {plain(str(error))}") from None


class Suite:
    """One session's targets and checks, and their reports once somebody needs them."""

    def __init__(self, config: pytest.Config, urls: Sequence[str], options: Mapping[str, object]) -> None:
        self._config = config
        self._options = options
        self._settings = settings_of(urls, options)
        self.urls = self._settings.urls
        self.fail_on = self._settings.output.fail_on
        self._files: dict[Path, pytest.Collector] = {}
        self._needed: tuple[str, ...] = ()
        self._folder = ""
        self._unmeasured = ""
        self._labs = ExitStack()
        self._targets: tuple[Target, ...] = ()
        self._reports: tuple[RunReport, ...] = ()

    # --- collecting ---------------------------------------------------------------------------------------------------

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> None:
        """Own checks stand beside the tests, in files check_*.py: they become items when all of them are known."""
        if file_path.match("check_*.py"):
            self._files.setdefault(file_path.resolve(), parent)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Add the checks behind the tests, before -k and -m choose among all of them."""
        with _told():
            if self._files:
                options = {**self._options, "checks": [*self._settings.checks, *self._files]}
                self._settings = settings_of(self.urls, options)
            found = chosen(catalogue(self._settings.checks, guest=True).checks, self._settings)
        nodes: dict[Path, Checks | CheckFile] = {}
        for check in found:
            path = Path(check.function.__code__.co_filename).resolve()
            path = path if path in self._files else session.path
            node = nodes.get(path) or nodes.setdefault(path, self._node(session, path))
            node.items += [self._item(node, check, url) for url in self.urls]
        for node in nodes.values():
            items += session.genitems(node)
        self._needed = tuple(check.id for check in found)

    def _node(self, session: pytest.Session, path: Path) -> Checks | CheckFile:
        """What the checks of one of the own files hang at, or all others: `btdiag::cors.web-app-may-call`."""
        if path in self._files:
            file: CheckFile = CheckFile.from_parent(self._files[path], path=path)
            return file
        rest: Checks = Checks.from_parent(session, name="btdiag", nodeid="btdiag")
        return rest

    def _item(self, node: pytest.Collector, check: Check, url: str) -> CheckItem:
        name = check.id if len(self.urls) == 1 else f"{check.id}[{url}]"
        item: CheckItem = CheckItem.from_parent(node, name=name, suite=self, check=check, url=url)
        return item

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What was chosen is measured and no more; for a test that reads the report, all of it is."""
        if not any("btdiag_report" in getattr(item, "fixturenames", ()) for item in session.items):
            ids = {item.check.id for item in session.items if isinstance(item, CheckItem)}
            self._needed = tuple(id_ for id_ in self._needed if id_ in ids)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A test that asks for the target is made for each of them."""
        if len(self.urls) > 1 and "btdiag_target" in metafunc.fixturenames:
            metafunc.parametrize("btdiag_target", self.urls, indirect=True, scope="session")

    # --- measuring ----------------------------------------------------------------------------------------------------

    def target(self, url: str) -> Target:
        """The target of that URL; a lab is started, and serves until the session ends."""
        if not self._targets:
            with self._failing():
                labs = self._labs.enter_context(labhost.labs_of(self.urls))
                self._targets = tuple(resolve_targets(self._settings, labs))
        return self._targets[self.urls.index(url)]

    def report_on(self, target: Target) -> RunReport:
        """The report on one of the targets."""
        return self.report(self.urls[self._targets.index(target)])

    def report(self, url: str) -> RunReport:
        """The report on the target of that URL, measured the first time that anybody in any process asks."""
        if not self._reports:
            self._reports = self._shared_reports() if self._shared else self._measured()
        return self._reports[self.urls.index(url)]

    def _measured(self) -> tuple[RunReport, ...]:
        self.target(self.urls[0])
        with self._failing():
            return measured(replace(self._settings, only=self._needed, skip=()), self._targets)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """What cannot be measured at all fails whoever asks, with one line; it is tried once."""
        try:
            if self._unmeasured:
                raise UsageError(self._unmeasured)
            yield
        except UsageError as error:
            self._unmeasured = str(error)
            pytest.fail(f"btdiag: {plain(str(error))}", pytrace=False)

    def _shared_reports(self) -> tuple[RunReport, ...]:
        """The first worker that comes measures, the others wait and read."""
        assert self._shared is not None
        file = self._shared / "reports.json"
        with FileLock(self._shared / "lock"):
            if not file.exists():
                reports = self._measured()
                file.write_text(json.dumps([report.to_json() for report in reports]), encoding="ascii")
                return reports
        read = [json_.load(text) for text in json.loads(file.read_text("ascii"))]
        return tuple(as_program_report(report) for report in read if isinstance(report, Report))

    @property
    def _shared(self) -> Path | None:
        """The folder that this process shares with other workers of xdist, if there are any and they are of this
        machine."""
        given = getattr(self._config, "workerinput", {}).get(SHARED)
        return Path(given) if given and Path(given).is_dir() else None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Called in xdist's controller for each worker: all of them share one folder that nobody else can read."""
        if not self._folder:
            self._folder = tempfile.mkdtemp(prefix="btdiag-")
            self._labs.callback(shutil.rmtree, self._folder, ignore_errors=True)
        node.workerinput[SHARED] = self._folder

    def pytest_unconfigure(self) -> None:
        """The session is over: labs end, and what was shared goes."""
        self._labs.close()


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
