"""What is printed for Prometheus, and what is served to it, before a real one."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from btdiag.serve.command import Serving, print_for
from tests.support.cli import CLEAN
from tests.support.tools import need
from tests.support.watching import PATIENCE_S, Watcher, healthy, until, watcher

pytestmark = pytest.mark.real

FAST = {"scrape_interval: 1m": "scrape_interval: 300ms", "scrape_interval: 5m": "scrape_interval: 2s"}
FAST |= {"scrape_timeout: 60s": "scrape_timeout: 2s", "for: 5m": "for: 300ms"}


def promtool(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """What promtool says."""
    command = [need("promtool"), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, check=False)


def test_the_rules_do_what_they_say(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(print_for("rules", Serving(), {}, {}, tmp_path))
    shutil.copy(Path(__file__).with_name("rules.test.yml"), tmp_path)
    checked = promtool("check", "rules", str(tmp_path / "rules.yml"))
    assert (checked.returncode, "5 rules found" in checked.stdout) == (0, True), checked
    tested = promtool("test", "rules", str(tmp_path / "rules.test.yml"))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def fast(text: str) -> str:
    """What is printed, with intervals that a test can wait for; all else as it is."""
    for slow, quick in FAST.items():
        text = text.replace(slow, quick)
    return text


@contextmanager
def prometheus(folder: Path, watching: Watcher, target: str) -> Iterator[str]:
    """A Prometheus with the shipped configuration and rules; gives its URL."""
    serving = Serving(port=watching.port)
    config = fast(print_for("scrape-config", serving, {"target": (target,)}, {}, folder))
    (folder / "rules.yml").write_text(fast(print_for("rules", serving, {}, {}, folder)))
    more = "global: {evaluation_interval: 300ms}\nrule_files: [rules.yml]\n"
    (folder / "prometheus.yml").write_text(more + config)
    checked = promtool("check", "config", str(folder / "prometheus.yml"))
    assert checked.returncode == 0, checked
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([need("prometheus"), *options], cwd=folder, stdout=log, stderr=log, env=CLEAN)
        try:
            yield f"http://{address}"
        finally:
            process.kill()
            process.wait()


def asked(url: str) -> Any:
    """The data that Prometheus answers with; None while it does not."""
    try:
        with urlopen(url, timeout=PATIENCE_S) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def holds(base: str, expression: str) -> bool:
    """Is there a sample of it now?"""
    return bool((asked(f"{base}/api/v1/query?query={quote(expression)}") or {}).get("result"))


def alerts(base: str, state: str) -> list[dict[str, Any]]:
    """The alerts about data planes that fail."""
    found = (asked(f"{base}/api/v1/alerts") or {}).get("alerts", [])
    return [one for one in found if one["labels"]["alertname"] == "DataPlaneFails" and one["state"] == state]


def test_prometheus_shows_an_outage_and_its_end(tmp_path: Path) -> None:
    with ExitStack() as stack:
        plane = stack.enter_context(ExitStack())
        port = plane.enter_context(healthy())
        target = f"http://127.0.0.1:{port}"
        watching = stack.enter_context(watcher(tmp_path, "--target", target, "--every", "500ms"))
        base = stack.enter_context(prometheus(tmp_path, watching, target))
        until(lambda: holds(base, f'btdiag_verdict{{job="btdiag", target="{target}", verdict="pass"}} == 1'))
        until(lambda: holds(base, f'probe_success{{job="btdiag-probe", target="{target}"}} == 1'))
        for path in ("/metrics", f"/probe?target={target}"):
            checked = promtool("check", "metrics", given=watching.text(path))
            assert (checked.returncode, checked.stderr) == (0, ""), checked
        plane.close()
        until(lambda: alerts(base, "firing"))
        (alert,) = alerts(base, "firing")
        assert alert["labels"]["target"] == target
        report, history = (
            alert["annotations"][name].partition(str(watching.port))[2] for name in ("report", "history")
        )
        assert f"<title>fail: {target}" in watching.text(report)
        assert target in watching.text(history)
        stack.enter_context(healthy(port))
        until(
            lambda: (
                not alerts(base, "firing") and holds(base, f'btdiag_verdict{{target="{target}",verdict="pass"}} == 1')
            )
        )
