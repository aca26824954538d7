"""pytest, embedded: collects the check functions and runs them against facts, whatever pytest set-up the user has.

The files of the checks folders are collected, then whoever asked for them has each check judged on facts, as often as
there are targets. What became of it is kept as an `Attempt`; no report text of pytest's is parsed.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from btdiag.core.measurement import spec_of
from btdiag.engine.attempt import Attempt, Running
from btdiag.engine.checks import Check, check_of
from btdiag.engine.inputs import not_admitted
from btdiag.engine.loader import CollectionError as CollectionError  # those who call `run` catch it
from btdiag.engine.loader import OwnChecks, Watchdog, own_checks, reason_of, watched
from btdiag.engine.registry import Registry, RegistryError
from btdiag.engine.stage import Stage

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

Result = TypeVar("Result")


class Collected:
    """The checks that were collected, ready to be judged on any facts while the session lasts."""

    def __init__(self, plugin: _Plugin) -> None:
        self._plugin = plugin

    @property
    def checks(self) -> tuple[Check, ...]:
        """All of them, in the order of their files."""
        return tuple(self._plugin.checks.values())

    @property
    def registry(self) -> Registry:
        """The measurements: those that ship, and those that stand beside a user's own checks."""
        return self._plugin.registry

    def judge(self, check: Check, facts: Callable[[str], object], within_s: float) -> Attempt:
        """Run one check; `facts` gives the value of a parameter. A check of the user's that does not end within so many
        seconds is left behind."""
        return self._plugin.judge(check, facts, within_s)


def with_checks(
    folders: Sequence[tuple[Path, bool]],
    registry: Registry,
    body: Callable[[Collected], Result],
    *,
    guest: bool = False,
) -> Result:
    """Collect the folders (path, is it the user's own?) and return what `body` makes of the checks; CollectionError. In
    a process that is somebody else's (`guest`) it is not ended where loading the user's own takes too long."""
    own = own_checks(*(folder for folder, is_own in folders if is_own))
    arguments = [str(folder.resolve()) for folder, _ in folders]
    # Modules get their names from the root, which no `checks` of the user's is to share. Without --confcutdir pytest
    # looks at each file of each folder above.
    arguments += [f"--rootdir={folders[0][0].parent.parent}", f"--confcutdir={folders[0][0]}", *GUARDS]
    arguments += [word for name in UNUSED_PLUGINS for word in ("-p", f"no:{name}")]
    stage = Stage()
    with stage.on(), watched(() if guest else own.places) as watch:
        plugin = _Plugin(folders[0][0], own, registry, watch, stage, lambda plugin: body(Collected(plugin)))
        code = pytest.main(arguments, [plugin])
    if plugin.error is not None:
        raise plugin.error
    if code == pytest.ExitCode.INTERRUPTED:
        raise KeyboardInterrupt
    if not plugin.results:
        told = stage.output.getvalue().splitlines()
        lines = [line.partition("ERROR>")[2].strip() for line in told if "ERROR>" in line]
        raise CollectionError(f"the checks could not be run ({lines[-1] if lines else f'pytest ended with {code}'})")
    result: Result = plugin.results[0]
    return result


class _Plugin:
    """Collects, then lets `body` judge; pytest's own loop over all tests is not used."""

    def __init__(
        self,
        shipped: Path,
        own: OwnChecks,
        registry: Registry,
        watch: Watchdog | None,
        stage: Stage,
        body: Callable[[_Plugin], Any],
    ) -> None:
        self.shipped = shipped.resolve()
        self.own = own
        self.watch = watch
        self.stage = stage
        self.registry = registry
        self.body = body
        self.facts: Callable[[str], object] = lambda name: None
        self.within_s = 0.0
        self.results: list[Any] = []
        self.checks: dict[str, Check] = {}
        self.items: dict[str, pytest.Function] = {}
        self.registered: set[str] = set()
        self.collected: set[Path] = set()
        self.error: BaseException | None = None
        self.running: Running | None = None
        self.session: pytest.Session | None = None
        self.loaded_before = frozenset(sys.modules)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session
        for name in (*self.registry.specs, "target", "mode", "closing"):
            self._offer(name)

    def _offer(self, name: str) -> None:
        """Make a fact available to checks under its name, as a fixture."""
        if name in self.registered or self.session is None:
            return
        self.registered.add(name)

        pytest.register_fixture(name=name, func=lambda: self.facts(name), node=self.session)

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
        self.items[check.id] = item

    def _all_files_collected(self) -> None:
        """A file that pytest passes over in silence would be checks that nobody misses."""
        for file in sorted(self.shipped.rglob("check_*.py")):
            if file not in self.collected:
                self._fail(f"{file}: no check was collected from it")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if self.error is None:
            try:
                with self.stage.off():
                    self.results.append(self.body(self))
            except (Exception, KeyboardInterrupt) as error:  # pytest would print it and go on; the caller is to have it
                self.error = error
        own = {item.function.__module__ for item in self.items.values() if Path(item.path) in self.own.files}
        for name in own - self.loaded_before:
            sys.modules.pop(name, None)  # the next session is to have the file as it is then
        return True

    def judge(self, check: Check, facts: Callable[[str], object], within_s: float) -> Attempt:
        """Run one check as pytest runs a test, with the facts as fixtures."""
        unknown = [name for name in check.parameters if name not in self.registered]
        if unknown:
            return Attempt(crash=f"the check asks for {unknown[0]!r}, which no measurement or built-in is called")
        self.facts, self.within_s, self.running = facts, within_s, Running(check)
        if not check.own:  # asks for facts alone, so that nothing of what pytest does for a test is needed
            self._judge(self.running, {name: facts(name) for name in check.parameters})
            return self.running.attempt()
        item = self.items[check.id]
        with self.stage.on():
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return self.running.attempt()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool:
        """Call the check here, so that what it returns or raises is kept, which pytest would format at length; without
        its facts it is not called."""
        assert self.running is not None
        self._judge(self.running, {name: pyfuncitem.funcargs[name] for name in self.running.check.parameters})
        return True

    def _judge(self, running: Running, arguments: dict[str, object]) -> None:
        running.missing = not_admitted(running.check.function, arguments)
        if not running.missing:
            self._call(running, functools.partial(running.check.function, **arguments))

    def _call(self, running: Running, call: Callable[[], object]) -> None:
        """A user's check gets a thread of its own: it may never end."""
        if not running.check.own:
            running.call(call)
            return

        def joined() -> None:
            self.stage.joined()
            running.call(call)

        thread = threading.Thread(target=joined, name=running.check.id, daemon=True)
        thread.start()
        thread.join(self.within_s)
        if thread.is_alive():
            running.leave(f"the check did not end within {self.within_s:.1f} s")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and self.running is not None and self.running.error is None:
            self.running.error = call.excinfo.value
        return report
