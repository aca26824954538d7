"""btdiag for programs: the same run as that of the command, in a process that is somebody else's.

Nothing is printed, no signal is taken over, the process is never ended, and a btdiag.toml is read only if it is named.
It works in any thread, in a running event loop, and several times at once.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, TypeAlias, TypedDict, Unpack

from btdiag.config import Settings, settings
from btdiag.config.options import BY_KEY, ValueKind
from btdiag.core.finding import Verdict
from btdiag.core.report import CheckResult, Report
from btdiag.core.target import Target
from btdiag.engine import labhost
from btdiag.engine.interrupt import Interrupt
from btdiag.engine.run import execute, resolve_targets
from btdiag.engine.tasks import Events
from btdiag.lint.program import AnyPath
from btdiag.report import html, json_
from btdiag.report.documents import reports_of, url_of
from btdiag.report.escape import framed, plain

# A run that is asked twice to end is back within the time that its loop may take to close.
CANCELLING_S = 5.0

Texts: TypeAlias = "str | Sequence[str]"
Paths: TypeAlias = "AnyPath | Sequence[AnyPath]"


class Options(TypedDict, total=False):
    """The options of `btdiag run` by their profile keys (see docs/python.md); `profile` names a settings file."""

    profile: AnyPath
    only: Texts
    skip: Texts
    checks: Paths
    quick: bool
    deep: bool
    budget: float | str
    api_key_env: str
    key_over_http: bool
    header: Texts
    ca: AnyPath
    client_cert: AnyPath
    client_key: AnyPath
    proxy: str
    no_proxy: bool
    resolve: Texts
    nameserver: str
    backend: str
    brainstore: Texts
    gateway: str
    bucket: str
    lb_idle_timeout: float
    backend_keepalive: float
    app_url: str
    origin: Texts
    config: Paths
    logs: Paths
    sdk: Texts
    role: str
    allow: Texts
    expect_blocked: Texts
    induce: bool
    connections: int
    probe_path: str
    periods: int
    browser: str
    headed: bool
    screenshots: bool
    browser_profile: AnyPath
    fail_on: str


OPTION_KEYS = tuple(inspect.get_annotations(Options))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RunReport(Report):
    """The report of a run, for programs; `btdiag.Report` is its public name. The fields are those of report.json."""

    def __getitem__(self, check_id: str) -> CheckResult:
        """The result of one check; KeyError if it was not judged."""
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that fail and are not accepted by a waiver, the root cause among them; empty if none does."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FAIL and check.waived is None)

    def to_json(self) -> str:
        """The same JSON as that of report.json."""
        return json_.render(self)

    def __repr__(self) -> str:
        return f"<btdiag.Report of {plain(url_of(self))}, {self.verdict}: {plain(self.headline)}>"

    def _repr_html_(self) -> str:
        return framed(html.render(self))


def run(url: str, **options: Unpack[Options]) -> RunReport:
    """Measure and judge one data plane (or `lab:SCENARIO`) and return the report; takes as long as `btdiag run` does.

    Raises UsageError, one line, for an option that is wrong, and TypeError for a name that is none.
    """
    return run_all((url,), options)[0]


async def arun(url: str, **options: Unpack[Options]) -> RunReport:
    """The same, awaited: the run has a thread of its own. Whoever cancels it has the run end first, within a moment."""
    interrupt, loop = Interrupt(), asyncio.get_running_loop()
    ended: asyncio.Future[RunReport] = loop.create_future()
    thread = threading.Thread(target=_work, args=(url, options, interrupt, loop, ended), name="btdiag run", daemon=True)
    thread.start()
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        interrupt.ask()
        interrupt.ask()
        await asyncio.wait({ended}, timeout=CANCELLING_S)
        raise
    finally:
        if ended.done():
            thread.join()  # it has nothing left to do


def _work(
    url: str,
    options: Mapping[str, object],
    interrupt: Interrupt,
    loop: asyncio.AbstractEventLoop,
    ended: asyncio.Future[RunReport],
) -> None:
    """Run, and hand the outcome to the loop, if that is still there."""
    try:
        report = run_all((url,), options, interrupt)[0]
    except BaseException as error:
        _tell(loop, ended, error)
    else:
        _tell(loop, ended, report)


def _tell(
    loop: asyncio.AbstractEventLoop, ended: asyncio.Future[RunReport], outcome: RunReport | BaseException
) -> None:
    def settle() -> None:
        if ended.cancelled():
            return
        if isinstance(outcome, BaseException):
            ended.set_exception(outcome)
            ended.exception()  # whoever was cancelled does not ask for it
        else:
            ended.set_result(outcome)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def run_all(
    urls: Sequence[str], options: Mapping[str, object], interrupt: Interrupt | None = None
) -> tuple[RunReport, ...]:
    """The reports of several targets of one run, in their order."""
    chosen = settings_of(urls, options)
    with labhost.labs_of(chosen.urls, chosen.values.get("logs", ())) as labs:
        return measured(chosen, resolve_targets(chosen, labs), interrupt)


def settings_of(urls: Sequence[str], options: Mapping[str, object]) -> Settings:
    """What a run with these options is to do; UsageError, or TypeError for a name that is no option."""
    return settings({**_flags(options), "target": tuple(urls)}, dict(os.environ), None)


def measured(chosen: Settings, targets: Sequence[Target], interrupt: Interrupt | None = None) -> tuple[RunReport, ...]:
    """The reports of targets that are known already."""
    document = execute(chosen, targets, Events(), interrupt or Interrupt(), guest=True)
    return tuple(as_program_report(report) for report in reports_of(document))


def as_program_report(report: Report) -> RunReport:
    """The same report, as programs get it."""
    return RunReport(**{field.name: getattr(report, field.name) for field in fields(Report)})


def _flags(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as the command line gives them; TypeError for a name that is none."""
    for key in options:
        if key not in OPTION_KEYS:
            near = get_close_matches(key, OPTION_KEYS, 1)
            raise TypeError(f"btdiag.run has no option {key!r}" + (f": did you mean {near[0]}?" if near else ""))
    return {key: _plain_paths(key, value) for key, value in options.items() if value is not None}


def _plain_paths(key: str, value: Any) -> Any:
    if BY_KEY[key].kind not in (ValueKind.PATH, ValueKind.PLACE, ValueKind.STORE):
        return value
    if isinstance(value, list | tuple):
        return tuple(map(os.fspath, value))
    return os.fspath(value)
