"""btdiag in somebody else's process: what it returns, and that it leaves that process as it was."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

import btdiag
from btdiag import api
from btdiag.config.options import OPTIONS, OUTPUT
from btdiag.engine.stage import Stage
from tests.support.cli import CLEAN

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"
NOBODY = "http://127.0.0.1:1"
FEW = {"only": "connection.tcp-connects", "quick": True}


def test_a_report_is_read_by_id_and_written_as_json() -> None:
    report = btdiag.run(NOBODY, **FEW)  # type: ignore[arg-type]
    assert isinstance(report, btdiag.Report)
    assert report["connection.tcp-connects"].verdict == "fail"
    assert [check.id for check in report.failed] == ["connection.tcp-connects"]
    assert json.loads(report.to_json())["verdict"] == "fail"
    assert repr(report).startswith(f"<btdiag.Report of {NOBODY}, fail: ")
    with pytest.raises(KeyError):
        report["no.such-check"]


def test_a_notebook_shows_the_page_and_runs_nothing_of_it() -> None:
    shown = btdiag.run(NOBODY, **FEW)._repr_html_()  # type: ignore[arg-type]
    assert re.fullmatch(r'<iframe sandbox srcdoc="[^"<>]+" style="[^"]+" title="btdiag report"></iframe>', shown)


def test_options_are_those_of_a_profile() -> None:
    profile = {option.key for option in OPTIONS if option.profile and option.group != OUTPUT}
    assert set(api.OPTION_KEYS) == profile - {"target", "targets", "parallel"} | {"profile", "fail_on"}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"onyl": "dns"}, TypeError, "did you mean only"),
        ({"format": "json"}, TypeError, "no option 'format'"),
        ({"budget": "soon"}, btdiag.UsageError, "--budget"),
        ({"only": "nosuch"}, btdiag.UsageError, "nosuch"),
        ({"checks": Path("nowhere")}, btdiag.UsageError, "no folder"),
    ],
)
def test_a_mistake_is_raised(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        btdiag.run(NOBODY, **options)


def test_only_a_profile_that_is_named_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "btdiag.toml").write_text('only = ["connection.tcp-connects"]\nquick = true\n')
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "btdiag.toml").write_text("nosense")
    monkeypatch.chdir(tmp_path / "broken")
    report = btdiag.run(NOBODY, profile=tmp_path / "btdiag.toml")
    assert [check.id for check in report.checks] == ["connection.tcp-connects"]


OWN = """
from btdiag.core.measurement import measurement
print("loaded")
@measurement(budget=1, why="a test")
async def five():
    return 5
def check_five_is_five(five):
    print("judged")
    assert five == {number}
"""


def test_runs_at_once_leave_the_process_as_it_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "check_own.py").write_text(OWN.format(number=5))
    before = state()

    async def both() -> list[btdiag.Report]:
        options: Any = {"checks": tmp_path, "only": ["own", "connection.tcp-connects"], "quick": True}
        return await asyncio.gather(*(btdiag.arun(NOBODY, **options) for _ in range(2)))

    reports = asyncio.run(both())
    assert [report["own.five-is-five"].verdict for report in reports] == ["pass", "pass"]
    assert state() == before
    assert capfd.readouterr() == ("", "")


def state() -> dict[str, object]:
    """What a guest could leave changed in a process."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    names = {name for name in sys.modules if name.endswith("check_own")}
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("btdiag")}
    return {
        "signals": [signal.getsignal(number) for number in numbers],
        "streams": (sys.stdout, sys.stderr),
        "variables": dict(os.environ),
        "paths": (list(sys.path), os.getcwd(), [type(hook) for hook in sys.meta_path]),
        "switches": (sys.dont_write_bytecode, sys.excepthook),
        "left": (names, threads),
    }


def test_checks_that_were_changed_are_loaded_anew(tmp_path: Path) -> None:
    verdicts = []
    for number in (5, 66):
        (tmp_path / "check_own.py").write_text(OWN.format(number=number))
        verdicts.append(btdiag.run(NOBODY, checks=tmp_path, only="own")["own.five-is-five"].verdict.value)
    assert verdicts == ["pass", "fail"]


def test_another_thread_prints_while_pytest_works(capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage()
    with stage.on():
        print("of a check")
        other = threading.Thread(target=lambda: print("of the program"))
        other.start()
        other.join()
        with stage.off():
            print("of the caller")
    assert capsys.readouterr().out == "of the program\nof the caller\n"
    assert stage.output.getvalue() == "of a check\n"


def test_a_run_that_is_cancelled_ends_before_its_time() -> None:
    async def cancelled() -> None:
        before = set(threading.enumerate())
        task = asyncio.create_task(btdiag.arun("lab:healthy", only="keepalive.backend-*"))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        own = [thread for thread in threading.enumerate() if thread.name.startswith("btdiag") and thread not in before]
        for thread in own:
            await asyncio.to_thread(thread.join, 10)
        assert not [thread for thread in own if thread.is_alive()]

    asyncio.run(cancelled())


def examples() -> dict[str, str]:
    return dict(re.findall(r"<!-- example: (\w+) -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


@pytest.mark.parametrize("name", ["script", "service", "files"])
def test_an_example_of_the_page_runs(name: str, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("cloud: AWS\nnosuch: 1\n")
    code = examples()[name].replace("https://braintrust.example.com", "lab:healthy")
    code = code.replace("https://other.example.com", NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    said = {"script": "Healthy", "service": "takes no TCP connection", "files": "values.yaml:"}[name]
    assert said in done.stdout
    assert (tmp_path / "lint.json").exists() == (name == "files")


def test_logs_are_judged(tmp_path: Path) -> None:
    error = (
        "2026/11/26 08:00:00 [error] 7#7: *1 upstream prematurely closed connection while reading response header from "
        'upstream, client: 10.0.0.1, server: _, request: "POST /logs3 HTTP/1.1", upstream: "http://10.0.0.2:8000/logs3"'
    )
    (tmp_path / "error.log").write_text(f"{error}\n")
    report = btdiag.logs(tmp_path / "error.log", backend_keepalive=65)
    assert isinstance(report, btdiag.LogsReport)
    assert json.loads(report.to_json())["kind"] == "logs"
    assert report["logs.no-request-meets-a-closing-connection"] in report.checks
    assert repr(report).startswith("<btdiag.LogsReport ")
    with pytest.raises(btdiag.UsageError, match="fail_on"):
        btdiag.logs(tmp_path / "error.log", fail_on="x")
    with pytest.raises(btdiag.UsageError, match="name at least one"):
        btdiag.logs()


def test_importing_btdiag_loads_nothing_heavy() -> None:
    code = "import sys, btdiag; print(btdiag.__version__, sorted(set(sys.modules) & set(sys.argv[1:])))"
    heavy = ("click", "httpx", "pytest", "asyncio", "ssl", "btdiag.api", "btdiag.config")
    done = subprocess.run([sys.executable, "-c", code, *heavy], env=CLEAN, capture_output=True, text=True, check=True)
    assert done.stdout == f"{btdiag.__version__} []\n"


CONSUMER = """
    import asyncio
    from typing import assert_type
    import btdiag

    report = btdiag.run("https://h.example", only=["dns"], quick=True, lb_idle_timeout=60)
    assert_type(report, btdiag.Report)
    assert_type(report["dns.resolves"].id, str)
    assert_type([check.summary for check in report.failed], list[str])
    assert_type(asyncio.run(btdiag.arun("https://h.example")).to_json(), str)
    assert_type(btdiag.lint("values.yaml"), btdiag.LintReport)
    assert_type(btdiag.logs("access.log"), btdiag.LogsReport)
    btdiag.run("https://h.example", quick="yes")
    btdiag.run("https://h.example", onyl="dns")
"""


def test_a_program_that_uses_it_is_type_checked(tmp_path: Path) -> None:
    (tmp_path / "consumer.py").write_text(textwrap.dedent(CONSUMER))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "consumer.py"]
    done = subprocess.run(command, cwd=tmp_path, env=CLEAN, capture_output=True, text=True, timeout=120, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line.partition(": error: ")[0] for line in errors] == ["consumer.py:13", "consumer.py:14"], done
    assert "[arg-type]" in errors[0]
    assert "[call-arg]" in errors[1]
