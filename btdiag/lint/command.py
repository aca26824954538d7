"""`btdiag lint`: reads, judges, prints. Exit code 0, 1 for findings at --fail-on, 2 for what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from btdiag.lint import fixes, formats, inputs, judging, reading
from btdiag.lint.house import UsageError, load_profile, plain
from btdiag.lint.subjects import LintOptions
from btdiag.lint.tables import chart_versions, clouds, is_version, version_key


def lint_command(
    paths: Sequence[str],
    *,
    out: TextIO,
    format_: str = "text",
    fail_on: str = "fail",
    fix: bool = False,
    color: bool = False,
    **declared: Any,
) -> int:
    """Judge the files (see `linted`) and print the result, or with `fix` the corrections; returns the exit code."""
    result, sources = linted(paths, folder=Path.cwd(), fail_on=fail_on, **declared)
    if fix:
        out.write(fixes.diff(result.findings, {source.name: source.text for source in sources}))
    else:
        out.write(formats.render(result, format_, color=color, fail_on=fail_on))
    return result.exit_code


def linted(
    paths: Sequence[str],
    *,
    folder: Path | None,
    chart: str | None = None,
    modules: Sequence[str] = (),
    namespace: str | None = None,
    upgrade_from: str | None = None,
    baseline: str | None = None,
    profile: str | None = None,
    fail_on: str = "fail",
) -> tuple[judging.LintResult, Sequence[reading.Source]]:
    """What lint says of the files, and their texts. UsageError for what the user must change first. A btdiag.toml is
    looked for in `folder`, nowhere for None."""
    options = LintOptions(
        chart=_chart(chart, "--chart"),
        modules=_modules(modules),
        namespace=namespace,
        upgrade_from=_chart(upgrade_from, "--upgrade-from"),
    )
    waivers = load_profile(Path(profile) if profile else None, folder).waivers
    known = _baseline(baseline) if baseline else ()
    sources = reading.sources(paths)
    subjects = inputs.subjects(sources, options)
    if not subjects.files:
        raise UsageError(f"{', '.join(map(plain, paths))[:200]}: holds no file that lint knows")
    return judging.judge_files(subjects, waivers, datetime.now(UTC).date(), known, fail_on), sources


def _chart(version: str | None, option: str) -> str | None:
    if version is None:
        return None
    if not is_version(version):
        raise UsageError(f"{option} {plain(version)[:60]}: is no version such as 6.11.0")
    bare = version.removeprefix("v")
    oldest = chart_versions()[0]
    if version_key(bare) < version_key(oldest):
        raise UsageError(f"{option} {bare}: charts before {oldest} are not in the tables")
    return bare


def _modules(named: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for one in named:
        cloud, _, version = one.partition("=")
        if cloud not in clouds() or not is_version(version):
            raise UsageError(
                f"--module {plain(one)[:60]}: is not CLOUD=VERSION, as in aws=v6.6.0 ({', '.join(clouds())})"
            )
        found[cloud] = version
    return found


def _baseline(path: str) -> frozenset[tuple[str, str, str]]:
    """(id, file, key) of each finding of an earlier report; lines move, keys do not."""
    try:
        report = json.loads(reading.text_of(path))
        return frozenset((one["id"], one["file"], one["key"]) for one in report["findings"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"--baseline {plain(path)}: is no report that lint wrote as JSON") from None
