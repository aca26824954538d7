"""`btdiag logs`: reads, judges, joins, prints. Exit code 0, 1 for findings at --fail-on, 2 for what cannot be read."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from btdiag.logs import clf, formats, joining, judging, parallel, reading, sql, times
from btdiag.logs.account import FileAccount
from btdiag.logs.claims import ToldTimeouts
from btdiag.logs.following import Live
from btdiag.logs.house import MIB, Report, ReportFileError, UsageError, duration, load_report, plain, read_text
from btdiag.logs.quoting import Quoter
from btdiag.logs.result import LogsResult, result_of_logs
from btdiag.logs.runs import ReportedRun, RunSearch, arrived, run_of

_NODE = re.compile(r"_app\.[^/]*?_(\d{1,3}(?:\.\d{1,3}){3})_[0-9A-Za-z]+\.log(?:\.gz)?$")
"""The node's address in the name that an ALB gives to a log file."""

_INTERRUPTED = 130
_LARGEST_REPORT = 64 * MIB
_LOOKED_INTO, _LOOKED_AT = 50, 500  # files, and lines of each, that tell the format of all


def logs_command(
    paths: Sequence[str],
    *,
    out: TextIO,
    format_: str = "text",
    color: bool = False,
    sql_engine: str | None = None,
    follow: bool = False,
    **declared: Any,
) -> int:
    """Judge the files (see `examined`) and print the result; returns the exit code. `sql_engine`: print table and
    query for that engine instead. `follow`: read on until Ctrl-C (exit code 130), and say what is sure by then."""
    if sql_engine:
        out.write(asked_of(paths, sql_engine))
        return 0
    live = _live(paths, out if format_ == "text" else sys.stderr, follow)
    result = examined(paths, live=live, **declared)
    out.write(formats.render(result, format_, color=color))
    return _INTERRUPTED if live is not None and live.interrupted else result.exit_code


def _live(paths: Sequence[str], out: TextIO, follow: bool) -> Live | None:
    """How a log is read that is still being written: one file, or a pipe."""
    if follow and len(paths) != 1:
        raise UsageError("--follow: follows one file; name one, or - for a pipe")
    if not follow and list(paths) != ["-"]:
        return None

    def tell(line: str) -> None:
        out.write(line)
        out.flush()

    return Live(tell)


def examined(
    paths: Sequence[str],
    *,
    fail_on: str = "fail",
    since: str | None = None,
    until: str | None = None,
    backend_keepalive: str | None = None,
    lb_idle_timeout: str | None = None,
    log_format: str | None = None,
    config: str | None = None,
    anonymize: bool = False,
    all_lines: bool = False,
    with_report: str | None = None,
    live: Live | None = None,
) -> LogsResult:
    """What the files prove. UsageError for what the user must change first."""
    told = ToldTimeouts(
        keepalive_s=_seconds(backend_keepalive, "--backend-keepalive"),
        balancer_s=_seconds(lb_idle_timeout, "--lb-idle-timeout"),
    )
    given = clf.of_format(log_format) if log_format else None
    if config:
        from btdiag.logs.configuration import read_configuration

        stated = read_configuration(config)
        given = given or stated.pattern
        told = ToldTimeouts(keepalive_s=told.keepalive_s, balancer_s=told.balancer_s or stated.keepalive_timeout_s)
    begin, end = _moment(since, "--since"), _moment(until, "--until")
    run = _run(with_report) if with_report else None
    accounts = [_account(path, begin, end, given, run, live) for path in _named(paths, live)]
    read = [account for account in accounts if account.product]
    if live is not None and live.interrupted and not read:
        raise KeyboardInterrupt
    if not read:
        names = ", ".join(plain(path) for path in paths)[:200]
        raise UsageError(f"{names}: holds no log in a known format (--log-format gives the format string)")
    return judged(accounts, told, Quoter(anonymize=anonymize), fail_on=fail_on, all_lines=all_lines, run=run)


def asked_of(paths: Sequence[str], engine: str) -> str:
    """Table and query for what the files begin with (see `sql.statements`). UsageError where there is none."""
    formats: dict[str, None] = {}
    since: list[float] = []
    for path in reading.log_files(paths)[:_LOOKED_INTO]:
        account = FileAccount(path)
        with reading.opened_log(path) as file:
            account.read(islice(reading.log_lines(file), _LOOKED_AT))
        formats.update(dict.fromkeys(account.formats))
        since += [] if account.first is None else [account.first]
    return sql.statements(list(formats), engine, min(since, default=None))


def judged(accounts: Sequence[FileAccount], told: ToldTimeouts, quoter: Quoter, *, fail_on: str = "fail",
           all_lines: bool = False, run: ReportedRun | None = None) -> LogsResult:  # fmt: skip
    """The result for files that were read."""
    files = [judging.judge_log(account) for account in accounts]
    joining.join(files)
    more = [] if run is None else [arrived(run, accounts, quoter)]
    return result_of_logs(files, told, quoter, fail_on=fail_on, all_lines=all_lines, more=more)


def _named(paths: Sequence[str], live: Live | None) -> Sequence[str]:
    return paths if live is not None else reading.log_files(paths)


def _account(path: str, since: float | None, until: float | None, given: clf.Pattern | None,
             run: ReportedRun | None = None, live: Live | None = None) -> FileAccount:  # fmt: skip
    node = _NODE.search(path)
    name = node[1] if node else ""
    if live is not None:
        return live.read(FileAccount(path, name, given, RunSearch(run) if run is not None else None), since, until)
    plainly = given is None and since is None and until is None and run is None
    count = parallel.parts_of_file(path) if plainly else 1
    if count > 1:
        return parallel.read_log(path, name, count)
    account = FileAccount(path, name, given, RunSearch(run) if run is not None else None)
    with reading.opened_log(path) as file:
        account.read(reading.log_lines(file), since, until)
    return account


def _run(path: str) -> ReportedRun:
    """The run that a stored report tells of."""
    file = Path(path)
    try:
        report = load_report(read_text(file / "report.json" if file.is_dir() else file, _LARGEST_REPORT, "--with"))
    except ReportFileError as error:
        raise UsageError(f"--with {plain(path)}: {error}") from None
    if not isinstance(report, Report):
        raise UsageError(f"--with {plain(path)}: tells of several runs: give the report of one")
    return run_of(report, path)


def _seconds(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    try:
        return duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {plain(text)[:40]}: {error}") from None


def _moment(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    raw = text.strip().encode("utf-8", "replace")
    padded = raw if len(raw) > 16 else raw + b"0000-00-00T00:00:00"[len(raw) :]
    found = times.iso(padded) if raw[:4].isdigit() else times.clf_time(raw)
    if found is None:
        raise UsageError(f"{option} {plain(text)[:40]}: is no time such as 2026-11-26T08:00:00Z")
    return found
