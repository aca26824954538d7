"""The command line as a user meets it: exit codes, one clear line for mistakes, files, formats, interrupts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

from btdiag.config.options import FORMAT_NAMES
from tests.support import cli
from tests.support.cli import CLEAN, TRACED

# These reach what no test reaches within its own process: they count.
btdiag = partial(cli.btdiag, traced=True)
run_json = partial(cli.run_json, traced=True)

SLOW_CHECK = """
from btdiag.core.measurement import measurement
def check_patience(patience): assert patience == 1
def check_at_once(): pass
@measurement(budget=5, why="a test", idle=lambda target, mode: 30)
async def patience(waits):
    await waits.idle(30, "for nothing")
    return 1
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of checks whose verdicts a test chooses."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "check_own.py").write_text(
        "from btdiag.core.finding import *\n"
        "def check_passes(): pass\n"
        "def check_fails(): assert 1 == 2, 'one is not two'\n"
        "def check_warns(): return conclude(Finding(verdict=Verdict.WARN, summary='careful'))\n"
        "def check_unknown(): return conclude(Finding(verdict=Verdict.INCONCLUSIVE, summary='who knows'))\n"
        "def check_skips(): return conclude(Finding(verdict=Verdict.SKIP, summary='not today'))\n"
        "def check_crashes(): return 1 / 0\n"
    )
    return folder


ROWS = [  # checks, --fail-on, exit code
    ("passes", "fail", 0),
    ("passes warns", "fail", 0),
    ("passes unknown", "fail", 0),
    ("passes skips", "warn", 0),
    ("fails passes", "fail", 1),
    ("fails crashes", "fail", 1),
    ("fails", "never", 0),
    ("passes warns", "warn", 1),
    ("passes warns", "inconclusive", 0),
    ("passes unknown", "inconclusive", 1),
    ("passes unknown", "warn", 1),
    ("unknown", "fail", 3),
    ("skips", "fail", 3),
    ("crashes passes", "fail", 0),
]


@pytest.mark.parametrize("format_", FORMAT_NAMES)
def test_the_exit_code_is_the_same_in_every_format(own: Path, format_: str) -> None:
    for names, fail_on, code in ROWS if format_ == "text" else ROWS[4:8]:
        only = [word for name in names.split() for word in ("--only", f"own.{name}")]
        done = btdiag(
            *("run", "--target", "https://127.0.0.1:1", "--checks", str(own), "--no-files", "--format", format_),
            *("--fail-on", fail_on, *only),
            traced=format_ == "text",
        )
        assert done.code == code, (names, fail_on, done)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "no target"),
        (["run", "--target", "api.example"], "https://api.example"),
        (["run", "--target", "https://a:b@c"], "user name or password"),
        (["run", "--target", "lab:nope"], "nope"),
        (["run", "--target", "https://127.0.0.1:1", "--only", "nope"], "nope"),
        (["run", "--target", "https://127.0.0.1:1", "--only", "dns", "--skip", "dns"], "no check at all"),
        (["run", "--target", "https://127.0.0.1:1", "--profile", "/nope"], "/nope"),
        (["run", "--target", "https://127.0.0.1:1", "--nope"], "--nope"),
        (["run", "--target", "https://127.0.0.1:1", "--output", "/proc/nope"], "--output"),
        (["run", "--target", "https://127.0.0.1:1", "--report", "json=/nope/x.json"], "/nope"),
        (["explain", "dns.resolve"], "dns.resolves"),
        (["lab", "nope"], "nope"),
        (["nope"], "nope"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = btdiag(*arguments, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_of_the_users_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "check_own.py").write_text("def broken(:\n")
    done = btdiag("run", "--target", "https://127.0.0.1:1", "--checks", str(tmp_path), "--no-files")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "check_own.py" in done.err


def test_files_of_the_deployment_are_judged_by_line_and_their_secrets_stay_out(tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        "api:\n  extraEnvVars:\n    - {name: PG_URL, value: canary-1}\n"
        '    - {name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: "70"}\n'
    )
    (tmp_path / "main.tf").write_text('resource "aws_lb" "api" {\n  idle_timeout = 900 # canary-2\n}\n')
    files = ("--config", str(values), "--config", str(tmp_path / "main.tf"))
    done = cli.btdiag(
        "run", "--target", "lab:healthy", "--quick", "--only", "keepalive", "--format", "json", "--no-files", *files
    )
    found = next(check for check in done.report["checks"] if check["id"] == "keepalive.backend-outlives-load-balancer")
    assert (done.code, found["verdict"]) == (1, "fail")
    assert "70 s (declared in values.yaml line 4)" in found["summary"]
    assert "900 s (declared in main.tf at resource.aws_lb.api.idle_timeout)" in found["summary"]
    assert len(done.report["target"]["config"]) == 2
    assert "canary" not in done.out + done.err


def test_reports_are_files_of_their_own_and_never_overwritten(tmp_path: Path) -> None:
    arguments = ("run", "--target", "lab:healthy", "--only", "dns", "-o", str(tmp_path))
    assert [btdiag(*arguments).code for _ in range(2)] == [0, 0]
    folders = list(tmp_path.iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert sorted(path.name for path in folder.iterdir()) == [
            "report.html",
            "report.json",
            "report.md",
            "report.xml",
        ]


def test_the_json_report_follows_the_shipped_schema() -> None:
    schema = json.loads(files("btdiag.report").joinpath("schema.json").read_text("utf-8"))
    done = run_json("lab:healthy", "--quick")
    jsonschema.Draft202012Validator(schema).validate(done.report)
    targets = ("--target", "lab:healthy", "--target", "lab:dns-nxdomain")
    two = btdiag("run", *targets, "--quick", "--only", "dns.*", "--format", "json", "--no-files")
    jsonschema.Draft202012Validator(schema).validate(two.report)
    assert two.report["kind"] == "runs"
    assert [report["verdict"] for report in two.report["reports"]] == ["pass", "fail"]
    assert two.code == 1


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit, for files that may not grow")
def test_the_answer_comes_though_its_files_cannot_be_written(tmp_path: Path) -> None:
    """As on a full disk: what could be written stays, no beginning of a file does, and one line says so."""
    arguments = ("run", "--target", "lab:backend-down", "--quick", "--only", "readiness", "--output", str(tmp_path))
    done = cli.btdiag(*arguments, prefix=["prlimit", "--fsize=20000"])
    assert done.code == 2
    assert "GET / fails" in done.out.splitlines()[0]
    assert done.err.splitlines()[-1].startswith("btdiag: cannot write ")
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["report.md", "report.xml"]


def test_a_report_can_be_written_where_one_wants_it(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    done = btdiag("run", "--target", "lab:healthy", "--only", "dns", "--no-files", "--report", f"junit={path}")
    assert done.code == 0
    assert path.read_text().startswith("<?xml")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_writes_the_partial_report(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "check_own.py").write_text(SLOW_CHECK)
    command = [sys.executable, "-m", "btdiag", "run", "--target", "https://127.0.0.1:1", "--checks", str(tmp_path)]
    process = subprocess.Popen(
        [*command, "--only", "own", "--format", "json", "-o", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**CLEAN, **TRACED},
    )
    assert process.stderr is not None
    assert "waiting 30 s: for nothing" in process.stderr.readline()
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    report = json.loads(out)
    assert process.returncode == 130
    assert report["run"]["interrupted"] is True
    assert {check["id"]: check["verdict"] for check in report["checks"]} == {
        "own.patience": "inconclusive",
        "own.at-once": "pass",
    }
    assert len(list((tmp_path / "out").rglob("report.json"))) == 1


def test_the_budget_holds_for_the_whole_run(tmp_path: Path) -> None:
    (tmp_path / "check_own.py").write_text(
        "from btdiag.core.measurement import measurement\n"
        "def check_stubborn(stubborn): pass\n"
        "def check_at_once(): pass\n"
        "@measurement(budget=60, why='a test')\n"
        "async def stubborn():\n"
        "    import asyncio\n"
        "    while True:\n"
        "        try: await asyncio.sleep(60)\n"
        "        except asyncio.CancelledError: pass\n"
    )
    begun = time.monotonic()
    done = run_json("https://127.0.0.1:1", "--checks", str(tmp_path), "--only", "own", "--budget", "2s")
    assert time.monotonic() - begun < 10
    assert done.verdicts == {"own.stubborn": "inconclusive", "own.at-once": "pass"}


def test_a_folder_full_of_traps_changes_nothing_and_stays_as_it_was(tmp_path: Path) -> None:
    trap = "import pathlib; pathlib.Path(__file__).with_name('SPRUNG').touch(); raise SystemExit(99)\n"
    for name in ("conftest", "httpx", "pytest", "pluggy", "json", "asyncio", "click", "h11", "btdiag", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(trap)
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "conftest.py").write_text(trap)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-flag\n")
    (tmp_path / "tox.ini").write_text("[pytest]\naddopts = --no-such-flag\n")
    (tmp_path / "setup.cfg").write_text("[tool:pytest]\naddopts = --no-such-flag\n")
    (tmp_path / "pyproject.toml").write_text("[broken")
    before = sorted(tmp_path.rglob("*"))
    hostile = {"PYTEST_ADDOPTS": "--nonesuch", "PYTEST_PLUGINS": "hostile", "PYTEST_DEBUG": "1", "CI": "1"}
    console_script = Path(sys.executable).with_name("btdiag")
    for command in ([str(console_script)], [sys.executable, "-m", "btdiag"]):
        if command[-1] == "btdiag":  # a btdiag.py of the folder is what `python -m btdiag` asks for
            (tmp_path / "btdiag.py").unlink()
            before.remove(tmp_path / "btdiag.py")
        done = subprocess.run(
            [*command, "run", "--target", "lab:healthy", "--only", "dns", "--no-files"],
            cwd=tmp_path,
            env={**CLEAN, **hostile},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
    assert sorted(tmp_path.rglob("*")) == before


def test_progress_is_plain_lines_where_there_is_no_terminal() -> None:
    done = run_json("lab:dns-nxdomain", "--quick")
    assert "already known: dns.resolves fails" in done.err
    assert "\x1b" not in done.err
    assert run_json("lab:dns-nxdomain", "--quick", "--only", "dns.*", "--no-progress").err == ""


def test_a_waiver_is_shown_and_does_not_count(tmp_path: Path) -> None:
    profile = tmp_path / "btdiag.toml"
    for until, code in (("2999-01-01", 0), ("2020-01-01", 1)):
        profile.write_text(f'[[waive]]\nid = "dns.resolves"\nuntil = {until}\nreason = "moving house"\n')
        done = run_json("lab:dns-nxdomain", "--only", "dns.*", "--profile", str(profile))
        assert (done.code, "moving house" in done.out) in [(code, code == 0), (3, True)], done.out


def test_what_blocks_is_in_the_report_even_if_not_selected() -> None:
    done = run_json("lab:dns-nxdomain", "--only", "connection.tcp-connects")
    assert done.verdicts == {"connection.tcp-connects": "skip", "dns.resolves": "fail"}
    assert done.report["root_cause"] == "dns.resolves"
    assert done.code == 1


def test_a_blocker_that_nobody_selected_is_measured_too() -> None:
    done = run_json("lab:root-502", "--only", "cors.web-app-may-call", "--browser", "none")
    assert done.verdicts == {"cors.web-app-may-call": "skip", "readiness.root-answers": "fail"}
    assert (done.code, done.report["root_cause"]) == (1, "readiness.root-answers")


def test_lists_explanations_and_completion() -> None:
    listed = json.loads(btdiag("checks", "--format", "json").out)
    assert {"id", "family", "claim", "wait_s"} == set(listed[0])
    assert "dns.resolves" in btdiag("checks").out
    explained = btdiag("explain", "dns.resolves").out
    assert "lab:dns-nxdomain" in explained
    assert "What to do" in explained
    assert "healthy" in btdiag("lab", "--list").out
    assert "healthy" in [entry["name"] for entry in json.loads(btdiag("lab", "--list", "--format", "json").out)]
    assert all(btdiag("completion", shell).code == 0 for shell in ("bash", "zsh", "fish"))


def test_a_dry_run_names_the_requests_and_sends_nothing() -> None:
    done = btdiag("run", "--target", "https://127.0.0.1:1", "--dry-run")
    assert done.code == 0
    assert "nothing was sent" in done.out
    assert "GET" in done.out
    beside = ("--backend", "http://127.0.0.1:8000", "--brainstore", "reader=http://127.0.0.1:4000")
    more = ("--gateway", "https://gateway.example", "--bucket", "https://bucket.example", "--induce", "--deep")
    whole = btdiag("run", "--target", "https://127.0.0.1:1", *beside, *more, "--dry-run").out
    assert max(map(len, whole.splitlines())) <= 140
    assert "to see who answers" in " ".join(whole.split())
    assert all(place in whole for place in ("127.0.0.1:8000", "127.0.0.1:4000", "gateway.example", "bucket.example"))


def test_doctor_says_what_is_missing() -> None:
    done = btdiag("doctor", env={"PATH": "/nonexistent"})
    assert "MISSING" in done.out
    assert "chromium" in done.out


def test_the_lab_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "btdiag", "lab", "healthy"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**CLEAN, **TRACED})
    assert process.stdout is not None
    lines = []
    while "Ctrl-C" not in (line := process.stdout.readline()):
        assert line
        lines.append(line)
    curl = next(line.strip() for line in lines if line.strip().startswith("curl"))
    done = subprocess.run(curl, shell=True, capture_output=True, text=True, check=False, env={**os.environ})
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()
    assert done.returncode == 0, (curl, done)
