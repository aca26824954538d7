"""Flags, environment and profile put together (flag > environment > profile > default), and what cannot go together."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from btdiag.config.options import BY_KEY, OPTIONS, RUN_FORMATS, ValueKind
from btdiag.config.profile import Profile, Waiver, load_profile
from btdiag.config.reading import MIB, PEM_BYTES, read_bytes, read_stdin, read_text
from btdiag.config.secretive import header_parts, proxy_parts
from btdiag.config.values import UsageError, path_of_text, printable, target_name, value_of
from btdiag.core.finding import Json
from btdiag.core.target import DeclaredSetting, Mode

PARALLEL = 50
"""Targets at once, unless --parallel says otherwise: a quick look at one holds about ten connections."""
MOST_REPEATED = 50
TARGETS_BYTES = 64 * MIB  # a million of them
WITHHELD = "[withheld]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where the results go. `reports` are (format, path); `color` None means: as the terminal allows."""

    format: str = "text"
    directory: Path = Path("reports")
    reports: tuple[tuple[str, Path], ...] = ()
    files: bool = True
    store: Path | None = None
    fail_on: str = "fail"
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None
    progress: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything one run needs. `lab` has the scenario of each target that is one; its Target is known once the lab
    serves (see `lab_target`). `shown` are the options that were given, as a report may show them. `strangers` are the
    targets that nobody but a profile found in the current directory names, each with the words for why nothing secret
    goes there. `declared` and `stated` remember what the files of --config say, which are read
    once for all targets."""

    urls: tuple[str, ...]
    values: Mapping[str, Any]
    per_target: Mapping[str, Mapping[str, Any]]
    flags: Mapping[str, Any]
    environment: Mapping[str, str]
    mode: Mode
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    checks: tuple[Path, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    output: Output = Output()
    wait: float | None = None
    watch: float | None = None
    dry_run: bool = False
    parallel: int = PARALLEL
    shown: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    strangers: Mapping[str, str] = field(default_factory=dict)
    declared: dict[tuple[Path, ...], list[tuple[DeclaredSetting, ...]]] = field(default_factory=dict)
    stated: dict[tuple[Path, ...], tuple[DeclaredSetting, ...]] = field(default_factory=dict)


def settings(flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path | None) -> Settings:
    """Put flags (by option key, only those given), environment and profile together; UsageError if they do not fit. A
    btdiag.toml is looked for in `folder`, nowhere for None."""
    given = {key: value_of(BY_KEY[key], raw, f"--{BY_KEY[key].name}") for key, raw in flags.items()}
    profile = load_profile(given.get("profile"), folder)
    from_environment = _from_environment(environment)
    values = {**profile.values, **from_environment, **given}
    urls = _urls(given, values)
    _check_together(values, given, urls)
    _check_readable(values, set(given) | set(profile.values))
    for table in profile.targets.values():
        _check_readable(table, set(table))
    strangers = _strangers(urls, profile, {**from_environment, **given})
    return Settings(
        urls=urls,
        values=values,
        per_target=profile.targets,
        flags=given,
        environment=environment,
        mode=_mode(values, environment),
        only=values.get("only", ()),
        skip=values.get("skip", ()),
        checks=_own_checks(values.get("checks", ())),
        waivers=profile.waivers,
        output=_output(values),
        wait=values.get("wait"),
        watch=values.get("watch"),
        dry_run=values.get("dry_run", False),
        parallel=values.get("parallel", PARALLEL),
        shown=_shown({**profile.values, **given}, environment),
        notes=_notes(profile, strangers, urls),
        strangers=strangers,
    )


def _strangers(urls: Sequence[str], profile: Profile, others: Mapping[str, Any]) -> dict[str, str]:
    """The targets that stand neither on the command line nor in the environment, but in a profile that was merely
    found. Flags and environment replace the targets of a profile, so that there are none beside theirs."""
    if profile.trusted or "target" in others or "targets" in others:
        return {}
    why = (
        f"only {profile.path}, which was found in the current directory, names this target: name it with --target, or "
        "the file with --profile, if you trust it"
    )
    return dict.fromkeys(urls, why)


def _notes(profile: Profile, strangers: Mapping[str, str], urls: Collection[str]) -> tuple[str, ...]:
    """What stderr says before the run begins."""
    unused = [url for url in profile.targets if url not in urls]
    ignored = f'[targets."{printable(unused[0])}"] is for no target of this run' if unused else ""
    notes = (f"{ignored} ({len(unused)} such tables)" if len(unused) > 1 else ignored,) if unused else ()
    if profile.path is None or profile.trusted:
        return notes
    real = os.path.realpath(profile.path)
    leads = "" if real == os.path.abspath(profile.path) else f", a link to {real}"
    found = f"settings from {profile.path} (found in the current directory{leads})"
    return found, *notes, *(f"no key, header or certificate goes to {url}: {why}" for url, why in strangers.items())


def _check_readable(values: Mapping[str, Any], written: Collection[str]) -> None:
    """UsageError if certificates or keys are no plain files, too large, or without a certificate: OpenSSL, which opens
    them, would wait for a pipe, and reads a device to its end. What is not `written` by the user's flags or profile
    comes from the environment."""
    for key in ("ca", "client_cert", "client_key"):
        if values.get(key) is None:
            continue
        option = BY_KEY[key]
        label = f"--{option.name}" if key in written or not option.env else option.env
        pem = read_bytes(values[key], PEM_BYTES, label)
        if key == "ca" and b"-----BEGIN" not in pem:
            raise UsageError(f"{label} {printable(str(values[key]))}: holds no certificate in PEM form")


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that have a variable; an empty variable counts as unset. Proxies are looked up per target."""
    values = {}
    for option in OPTIONS:
        raw = environment.get(option.env, "") if option.env else ""
        if not raw or option.key == "proxy" or (option.key == "ca" and not os.path.lexists(raw)):
            continue  # that the file is missing is a finding: what programs do then differs from one to the next
        values[option.key] = True if option.kind is ValueKind.FLAG else value_of(option, raw, option.env)
    return values


def _urls(given: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, ...]:
    """The targets in the order named, each once. A target flag or file replaces what environment and profile say."""
    from_flags = "target" in given or "targets" in given
    source = given if from_flags else values
    names = list(source.get("target", ()))
    if "targets" in source:
        names += _targets_file(source["targets"])
    if not names:
        raise UsageError("no target: give --target https://your-data-plane, or --target lab:healthy to try btdiag out")
    return tuple(dict.fromkeys(target_name(name, "--target") for name in names))


def _targets_file(file: Path) -> list[str]:
    text = read_stdin(TARGETS_BYTES, "--targets") if str(file) == "-" else read_text(file, TARGETS_BYTES, "--targets")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _check_together(values: Mapping[str, Any], given: Mapping[str, Any], urls: Sequence[str]) -> None:
    """Combinations that cannot be meant; --no-proxy may well override a proxy of the profile."""
    for first, second, where in (("quick", "deep", values), ("wait", "watch", given), ("no_proxy", "proxy", given)):
        if where.get(first) and where.get(second):
            raise UsageError(f"--{BY_KEY[first].name} and --{BY_KEY[second].name} exclude each other: leave one out")
    for key in ("wait", "watch"):
        if given.get(key) and len(urls) > MOST_REPEATED:
            raise UsageError(f"--{key} repeats a run of at most {MOST_REPEATED} targets, not of {len(urls):,}")
    if len(urls) > 1:
        for key in given:
            if BY_KEY[key].single:
                raise UsageError(
                    f"--{BY_KEY[key].name} belongs to one target, but {len(urls)} are given: "
                    f'set {key} in [targets."URL"] of a profile'
                )
    if ("client_key" in values) and ("client_cert" not in values):
        raise UsageError("--client-key needs --client-cert")


def _mode(values: Mapping[str, Any], environment: Mapping[str, str]) -> Mode:
    chosen = {field.name: values[field.name] for field in fields(Mode) if field.name in values}
    if "probe_path" in chosen and not chosen["probe_path"].startswith("/"):
        raise UsageError("--probe-path must start with /")
    mode = Mode(**chosen)
    if mode.browser not in ("auto", "none") and shutil.which(mode.browser) is None:
        raise UsageError(f"--browser {printable(mode.browser)}: is no program that can be started; see btdiag doctor")
    if mode.headed and mode.browser == "none":
        raise UsageError("--headed and --browser none exclude each other: leave one out")
    if mode.headed and sys.platform == "linux" and not environment.keys() & {"DISPLAY", "WAYLAND_DISPLAY"}:
        raise UsageError("--headed needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set: leave it out here")
    return mode


def _own_checks(places: Sequence[Path]) -> tuple[Path, ...]:
    for place in places:
        if not (place.is_dir() or (place.is_file() and place.match("check_*.py"))):
            raise UsageError(f"--checks {place}: is no folder, and no file check_*.py")
    return tuple(places)


def _output(values: Mapping[str, Any]) -> Output:
    reports = []
    for entry in values.get("report", ()):
        name, _, file = entry.partition("=")
        if name not in RUN_FORMATS or not file:
            raise UsageError(f"--report {printable(entry)}: write FORMAT=PATH with one of {', '.join(RUN_FORMATS)}")
        try:
            reports.append((name, path_of_text(file)))
        except ValueError as error:
            raise UsageError(f"--report {printable(entry)}: {error}") from None
    return Output(
        format=values.get("format", "text"),
        directory=values.get("output", Path("reports")),
        reports=tuple(reports),
        files=not values.get("no_files", False),
        store=values.get("store"),
        fail_on=values.get("fail_on", "fail"),
        quiet=values.get("quiet", False),
        verbose=values.get("verbose", False),
        color=False if values.get("no_color") else None,
        progress=not values.get("no_progress", False),
    )


def _shown(values: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Json]:
    """The options of flags and profile as a report shows them: headers by name only, and nothing of what is not what
    the option wants, for that may be the secret itself."""
    shown: dict[str, Json] = {}
    for key, value in sorted(values.items()):
        if key == "header":
            shown[key] = [_or_withheld(header_parts, entry)[0] for entry in value]
        elif key == "proxy":
            shown[key] = _or_withheld(proxy_parts, value)[0]
        elif key == "api_key_env":
            shown[key] = value if value in environment else WITHHELD
        elif isinstance(value, tuple):
            shown[key] = [str(item) for item in value]
        else:
            shown[key] = str(value) if isinstance(value, Path) else value
    return shown


def _or_withheld(parts: Callable[[str], tuple[str, str]], text: str) -> tuple[str, str]:
    try:
        return parts(text)
    except ValueError:
        return WITHHELD, ""
