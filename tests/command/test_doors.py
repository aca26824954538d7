"""Every door through which text leaves: no command lets an unsafe character out, whoever put it into a name, a
docstring, an error, the environment, a file's name or a stored report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from btdiag.config.options import FORMAT_NAMES
from tests.support.cli import CLEAN
from tests.support.hostile import SAMPLE, SEQUENCES, unsafe_in

EXAMPLE = Path(__file__).parents[2] / "reports/examples/root-502/report.json"
URL = "https://127.0.0.1:1"
# What a file system and an argument can hold.
NAME = SEQUENCES.replace("/", "") + "\udcff\u2028\xad"
FOLDER = NAME.replace("[", "")  # which pytest takes for a part of a test id
OWN = f"""
from btdiag.core.measurement import measurement
from btdiag.core.finding import *
TEXT = {SAMPLE!a}
@measurement(budget=5, why=TEXT, sends=lambda target, mode: ["GET " + TEXT])
async def seen():
    raise RuntimeError(TEXT)
def check_measured(seen): pass
def check_asserts(): assert False, TEXT
def check_crashes(): raise RuntimeError(TEXT)
def check_finds():
    shown = Evidence(kind=TEXT, title=TEXT, data={{TEXT: [TEXT]}})
    return Finding(verdict=Verdict.WARN, summary=TEXT, evidence=(shown,))
for check in (check_asserts, check_crashes, check_finds, check_measured):
    check.__doc__ = "Claim" + TEXT + ".\\n\\nWhy" + TEXT + ".\\n\\nRemedy: " + TEXT + "\\n\\nSources: " + TEXT
"""


def said(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr, as bytes; checked for what may not be in them."""
    done = subprocess.run(
        [sys.executable, "-m", "btdiag", *arguments],
        capture_output=True,
        cwd=cwd,
        env={**CLEAN, **(env or {})},
        timeout=60,
        check=False,
    )
    assert not unsafe_in(done.stdout), (arguments, done.stdout)
    assert not unsafe_in(done.stderr), (arguments, done.stderr)
    assert b"Traceback" not in done.stderr, (arguments, done.stderr)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("own") / FOLDER
    folder.mkdir()
    place = folder / "inner"
    place.mkdir()
    (place / f"check_{NAME}.py").write_text(OWN)
    return str(place)


def test_lists_and_explanations_of_own_checks(own: str) -> None:
    code, out, _ = said("checks", "--checks", own)
    assert code == 0
    assert b"\\x1b[31m" in out
    listed = json.loads(said("checks", "--checks", own, "--format", "json")[1])
    mine = [entry["id"] for entry in listed if "31m" in entry["id"]]
    assert len(mine) == 4
    code, out, _ = said("explain", "dns.resolve" + NAME, "--checks", own)
    assert code == 2
    hostile_id = f"{NAME}.asserts".replace("_", "-")
    code, out, _ = said("explain", hostile_id, "--checks", own)
    assert code == 0
    assert b"What to do" in out


@pytest.mark.parametrize("format_", FORMAT_NAMES)
def test_reports_of_own_checks(own: str, tmp_path: Path, format_: str) -> None:
    only = ("--only", "*asserts", "--only", "*crashes", "--only", "*finds", "--only", "*measured")
    written = tmp_path / "\u202e\xad"  # options of a run may hold no control characters
    code, out, err = said(
        *("run", "--target", URL, "--checks", ".", "--browser", "none", "--format", format_, "-v", *only),
        *("-o", str(tmp_path / "\u2066"), "--report", f"text={written}"),
        cwd=Path(own),
    )
    assert code == 1, (out, err)
    assert out
    if format_ != "text":
        assert err.startswith(b"btdiag: wrote")
    assert not unsafe_in(written.read_bytes())


def test_a_dry_run_of_own_measurements(own: str) -> None:
    arguments = ("--checks", ".", "--only", "*measured", "--dry-run")
    code, out, _ = said("run", "--target", URL, *arguments, cwd=Path(own))
    assert code == 0
    assert b"GET" in out
    assert b"\\x00\\x01" in out


@pytest.mark.parametrize(
    "content",
    [
        f"raise RuntimeError({SAMPLE!a})",
        f"raise type({SEQUENCES!a}, (BaseException,), {{}})({SEQUENCES!a})",
        f"import sys; sys.exit({SAMPLE!a})",
        f"import {'x' * 20}\n",
        f"def broken(: # {SEQUENCES}",
        f"print({SAMPLE!a}); import sys; print({SAMPLE!a}, file=sys.stderr); raise ValueError({SAMPLE!a})",
        "from btdiag.core.measurement import measurement\n"
        f"@measurement(budget=1, why='', idle=lambda target, mode: [][{SAMPLE!a}])\n"
        "async def mine(): pass\ndef check_it(mine): pass\n",
    ],
)
def test_files_that_cannot_be_loaded(tmp_path: Path, content: str) -> None:
    place = tmp_path / FOLDER / "inner"
    place.mkdir(parents=True)
    (place / f"check_{NAME}.py").write_text(content, "utf-8")
    for command in (("checks",), ("explain", "dns.resolves"), ("run", "--target", URL, "--dry-run", "--only", "*it")):
        code, out, err = said(*command, "--checks", ".", cwd=place)
        assert (code, out, len(err.splitlines())) == (2, b"", 1), (command, out, err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("X",),
        ("run", "X"),
        ("run", "--targetX"),
        ("run", "--target", "X"),
        ("run", "--target", "https://X"),
        ("run", "--target", "lab:X"),
        ("run", "--target", URL, "--only", "X"),
        ("run", "--target", URL, "--budget", "X"),
        ("run", "--target", URL, "--checks", "X"),
        ("run", "--target", URL, "--profile", "X"),
        ("run", "--target", URL, "--format", "X"),
        ("run", "--target", URL, "--report", "text=X/X"),
        ("run", "--target", URL, "-o", "/proc/X"),
        ("checks", "--format", "X"),
        ("checks", "--checks", "X"),
        ("explain", "X"),
        ("lab", "X"),
        ("lab", "--port", "X"),
        ("show", "X"),
        ("compare", "X", "X"),
        ("merge", "X"),
        ("bundle", "X"),
        ("completion", "X"),
        ("doctor", "X"),
    ],
)
def test_mistakes_are_told_in_one_harmless_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    code, out, err = said(*(word.replace("X", NAME) for word in arguments), cwd=tmp_path)
    assert (code, out, len(err.splitlines())) == (2, b"", 1), (out, err)


def test_the_environment_is_told_harmlessly(tmp_path: Path) -> None:
    place = tmp_path / NAME
    place.mkdir()
    (place / "chromium").write_text("#!/bin/sh\n")
    (place / "chromium").chmod(0o755)
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "HTTPS_PROXY", "HOME", "TERM", "NO_COLOR")
    for name in names:
        assert said("doctor", env={name: str(place), "PATH": str(place)})[0] == 0
    assert NAME.encode("utf-8", "surrogateescape") not in said("doctor", env={"PATH": str(place)})[1]
    for name in ("BRAINTRUST_API_URL", "BRAINTRUST_APP_URL", "HTTPS_PROXY", "SSL_CERT_FILE"):
        said("run", "--target", URL, "--dry-run", "--only", "dns", env={name: NAME})
    completing = {"_BTDIAG_COMPLETE": "bash_complete", "COMP_WORDS": f"btdiag {NAME}", "COMP_CWORD": "1"}
    said(env=completing)
    for shell in ("bash", "zsh", "fish"):
        assert said("completion", shell)[0] == 0


def test_a_certificate_file_that_never_ends_is_no_certificate_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        code, out, _ = said("doctor", env={"SSL_CERT_FILE": str(path)})
        assert code == 0
        assert b"unreadable" in out


def poisoned(value: object) -> object:
    """The report with every text that is btdiag's to choose freely ended by the sample."""
    if isinstance(value, dict):
        return {
            key: item if key in {"id", "kind", "verdict", "state", "url", "name", "family"} else poisoned(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return value + SAMPLE if isinstance(value, str) else value


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stored") / NAME
    place.mkdir()
    report = json.loads(EXAMPLE.read_text())
    checks = [check for check in report["checks"] if check["evidence"]]
    report["checks"] = sorted(checks, key=lambda check: check["verdict"] != "fail")[:6]
    report["measurements"] = {}
    changed = poisoned(report)
    assert isinstance(changed, dict)
    changed["target"][SAMPLE] = SAMPLE
    changed["run"]["options"][SAMPLE] = SAMPLE
    (place / "report.json").write_text(json.dumps(changed))
    report["verdict"] = "pass"
    (place / "other.json").write_text(json.dumps(report))
    return place


@pytest.mark.parametrize("format_", FORMAT_NAMES)
def test_stored_reports_are_shown_harmlessly(stored: Path, format_: str) -> None:
    code, out, _ = said("show", str(stored), "--format", format_, "-v")
    assert code == 1
    assert out
    assert said("merge", str(stored), str(stored / "other.json"), "--format", format_)[0] == 1


def test_stored_reports_are_compared_and_packed_harmlessly(stored: Path, tmp_path: Path) -> None:
    for format_ in ("text", "json", "markdown"):
        assert said("compare", str(stored / "other.json"), str(stored), "--format", format_)[0] == 0
    for more in ((), ("--anonymize",)):
        code, out, err = said("bundle", str(stored), "-o", str(tmp_path / f"{NAME}{len(more)}"), "--yes", *more)
        assert (code, len(out.splitlines())) == (0, 1), err
    assert said("bundle", str(stored), "-o", str(tmp_path / f"{NAME}0"), "--yes")[0] == 2


def test_the_lists_of_the_lab() -> None:
    assert said("lab", "--list")[0] == 0
    assert json.loads(said("lab", "--list", "--format", "json")[1])
    assert said("checks", "--help")[0] == 0
    assert said()[0] == 2
