"""pytest, embedded: collects the check functions and runs them against facts, whatever pytest set-up the user has.

The files of the checks folders are collected, `Work.begin` measures once, then each check that is due runs on each
target. What became of it is kept as an `Attempt`; no report text of pytest's is parsed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from btdiag.core.finding import Finding, NotHeldError
from btdiag.core.measurement import NotMeasured, spec_of
from btdiag.engine.checks import Check, check_of
from btdiag.engine.crash import crash_text
from btdiag.engine.inputs import not_admitted
from btdiag.engine.loader import CollectionError as CollectionError  # those who call `run` catch it
from btdiag.engine.loader import OwnChecks, Swallowed, Watch, own_checks, reason_of, watched
from btdiag.engine.registry import Registry, RegistryError

# Each of these was seen to matter: without it the user's configuration, plugins or conftest.py get in.
GUARDS = (
    "-c",
    os.devnull,
    "--noconftest",
    "--disable-plugin-autoload",
    "--import-mode=importlib",
    "--capture=no",
    "--continue-on-collection-errors",
    "-o",
    "python_files=check_*.py",
    "-o",
    "python_functions=check_*",
    "-o",
    "python_classes=",
)
UNUSED_PLUGINS = (
    *("terminal", "cacheprovider", "debugging", "junitxml", "pastebin", "doctest", "unittest", "stepwise"),
    *("faulthandler", "legacypath", "setuponly", "setupplan", "logging", "tmpdir", "recwarn", "warnings"),
    *("unraisableexception", "threadexception"),  # the first collects garbage at the end: 50 ms in which nobody gains
)
# CI changes how long assertion texts may be; the rest steers pytest itself.
FOREIGN_VARIABLES = ("CI", "BUILD_NUMBER")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What became of one check on one target: a finding, an assertion's text, a missing fact, or a crash."""

    finding: Finding | None = None
    assertion: str | None = None
    missing: tuple[tuple[str, NotMeasured], ...] = ()
    crash: str | None = None
    duration_s: float = 0.0


class Work(Protocol):
    """What the session calls back: selection and measurement once, then a fact for each parameter of each check."""

    @property
    def targets(self) -> int:
        """On how many targets each check is to run; 0 if only the list of checks is wanted."""

    def begin(self, checks: Sequence[Check], registry: Registry) -> None:
        """Select and measure."""

    def value(self, target_number: int, name: str) -> object:
        """The fact (or built-in) of that name on a target; NotMeasured where there is none."""

    def due(self, target_number: int) -> Sequence[str]:
        """The ids of the checks to run next on a target; asked again after they ran, until there are none."""

    def judged(self, target_number: int, check_id: str, attempt: Attempt) -> None:
        """Take the outcome of one check."""


def run(folders: Sequence[tuple[Path, bool]], registry: Registry, work: Work) -> None:
    """Collect the folders (path, is it the user's own?) and do the work; raises CollectionError."""
    own = own_checks(next((folder for folder, is_own in folders if is_own), None))
    arguments = [str(folder.resolve()) for folder, _ in folders]
    # without --confcutdir pytest looks at each file of each folder above
    arguments += [f"--rootdir={folders[0][0].parent}", f"--confcutdir={folders[0][0]}", *GUARDS]
    arguments += [word for name in UNUSED_PLUGINS for word in ("-p", f"no:{name}")]
    output = Swallowed()
    with watched(own.folder) as watch, _own_environment(), redirect_stdout(output), redirect_stderr(output):
        plugin = _Plugin(folders[0][0], own, registry, work, watch)
        code = pytest.main(arguments, [plugin])
    if plugin.error is not None:
        raise plugin.error
    if not plugin.finished:
        said = [
            line.removeprefix("INTERNALERROR>").strip() for line in output.getvalue().splitlines() if "ERROR>" in line
        ]
        raise CollectionError(f"the checks could not be run ({said[-1] if said else f'pytest ended with {code}'})")


@contextmanager
def _own_environment() -> Iterator[None]:
    hidden = {
        name: value for name, value in os.environ.items() if name.startswith("PYTEST_") or name in FOREIGN_VARIABLES
    }
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("PYTEST_")]:
            del os.environ[name]
        os.environ.update(hidden)


@dataclass(slots=True)
class _Running:
    """The check that runs at the moment, and what it has come to so far."""

    check: Check
    result: object = None
    missing: tuple[tuple[str, NotMeasured], ...] = ()
    error: BaseException | None = None
    started: float = field(default_factory=time.perf_counter)

    def attempt(self) -> Attempt:
        duration = time.perf_counter() - self.started
        match self.error:
            case None if self.missing:
                return Attempt(missing=self.missing, duration_s=duration)
            case None if self.result is None or isinstance(self.result, Finding):
                return Attempt(finding=self.result, duration_s=duration)
            case None:
                crash = f"the check returned {type(self.result).__name__}; it must return a Finding or nothing"
                return Attempt(crash=crash, duration_s=duration)
            case NotHeldError(finding=finding):
                return Attempt(finding=finding, duration_s=duration)
            case AssertionError() as error:
                return Attempt(assertion=str(error) or "the assertion failed", duration_s=duration)
            case error:
                return Attempt(crash=crash_text(error), duration_s=duration)


class _Plugin:
    def __init__(self, shipped: Path, own: OwnChecks, registry: Registry, work: Work, watch: Watch | None) -> None:
        self.shipped = shipped.resolve()
        self.own = own
        self.watch = watch
        self.registry = registry
        self.work = work
        self.checks: dict[str, Check] = {}
        self.items: dict[tuple[str, int], pytest.Function] = {}
        self.registered: set[str] = set()
        self.collected: set[Path] = set()
        self.error: Exception | None = None
        self.finished = False
        self.running: _Running | None = None
        self.session: pytest.Session | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        pytest.register_fixture(
            name="target_number",
            func=lambda request: request.param,
            node=session,
            scope="session",
            params=range(max(1, self.work.targets)),
            autouse=True,
        )
        for name in (*self.registry.specs, "target", "mode"):
            self._offer(name)

    def _offer(self, name: str) -> None:
        """Make a fact available to checks under its name, as a fixture."""
        if name in self.registered or self.session is None:
            return
        self.registered.add(name)

        def fact(target_number: int) -> object:
            return self.work.value(target_number, name)

        pytest.register_fixture(name=name, func=fact, node=self.session)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """A user's own measurements stand in the module of the check: offer them before the check runs."""
        for thing in vars(metafunc.module).values():
            spec = spec_of(thing)
            if spec is None:
                continue
            try:
                self.registry.add(spec)
            except RegistryError as error:
                self._fail(f"{metafunc.module.__file__}: {error}")
            self._offer(spec.name)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Of the user's folder nothing is touched but the files that were looked at before."""
        return True if self.own.passed_over(collection_path) else None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Say which file cannot be loaded, and why; one that ends the program (sys.exit) would end pytest."""
        try:
            report = yield
        except BaseException as error:
            self._fail(f"{collector.path}: cannot be loaded: it raises {type(error).__name__}")
            raise
        if report.failed:
            self._fail(f"{collector.path}: cannot be loaded: {reason_of(str(report.longrepr))}")
        return report

    def _fail(self, text: str) -> None:
        self.error = self.error or CollectionError(text)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            if isinstance(item, pytest.Function):
                self._take(item)
        self._all_files_collected()
        if self.watch is not None:
            self.watch.end()

    def _take(self, item: pytest.Function) -> None:
        path = Path(item.path)
        check = check_of(item.function, path, own=path in self.own.files)
        if self.checks.setdefault(check.id, check).function is not check.function:
            self._fail(f"{path}: a check {check.id} exists already: rename yours")
        self.collected.add(path)
        number = item.callspec.params["target_number"]
        assert isinstance(number, int)
        self.items[check.id, number] = item

    def _all_files_collected(self) -> None:
        """A file that pytest passes over in silence would be checks that nobody misses."""
        for file in sorted(self.shipped.rglob("check_*.py")):
            if file not in self.collected:
                self._fail(f"{file}: no check was collected from it")

    def pytest_runtestloop(self) -> bool:
        if self.error is None:
            try:
                self._work()
            except Exception as error:  # pytest would print it and go on; the caller is to have it
                self.error = error
        return True

    def _work(self) -> None:
        self.work.begin(tuple(self.checks.values()), self.registry)
        for number in range(self.work.targets):
            while ids := self.work.due(number):
                for check_id in ids:
                    self._judge(check_id, number)
        self.finished = True

    def _judge(self, check_id: str, number: int) -> None:
        check = self.checks[check_id]
        unknown = [name for name in check.parameters if name not in self.registered]
        if unknown:
            crash = f"the check asks for {unknown[0]!r}, which no measurement or built-in is called"
            self.work.judged(number, check_id, Attempt(crash=crash))
            return
        self.running = _Running(check)
        item = self.items[check_id, number]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        self.work.judged(number, check_id, self.running.attempt())

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Call the check here, so that what it returns or raises is kept, which pytest would format at length; without
        its facts it is not called."""
        assert self.running is not None
        arguments = {name: pyfuncitem.funcargs[name] for name in self.running.check.parameters}
        self.running.missing = not_admitted(self.running.check.function, arguments)
        if not self.running.missing:
            try:
                self.running.result = pyfuncitem.obj(**arguments)
            except Exception as error:
                self.running.error = error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and self.running is not None and self.running.error is None:
            self.running.error = call.excinfo.value
        return report
