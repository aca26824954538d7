"""Speed and memory as ratios, measured side by side in one run: `make bench`. Prints the table that the README shows.

Every figure is the median of several rounds in which both sides take turns, so that a busy machine slows both.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from btdiag.engine import labhost  # noqa: E402
from tests.support.cli import CLEAN, run_json  # noqa: E402
from tests.support.plant import Plant, plant  # noqa: E402

ROUNDS = 7


def seconds(command: Sequence[str]) -> float:
    """Wall time of one process. Its output is read: grep ends at the first match where nobody does."""
    begun = time.perf_counter()
    subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, env=CLEAN)
    return time.perf_counter() - begun


def ratio(ours: Callable[[], float], theirs: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float, float]:
    """Medians of both and of their ratio, taken turn by turn after one round that does not count."""
    pairs = [(ours(), theirs()) for _ in range(rounds + 1)][1:]
    first, second = zip(*pairs, strict=True)
    return (
        statistics.median(first),
        statistics.median(second),
        statistics.median(one / other for one, other in pairs),
    )


def start_up() -> tuple[float, float, float]:
    """`btdiag --version` against `python -c 'import httpx'`."""
    return ratio(
        lambda: seconds([sys.executable, "-m", "btdiag", "--version"]),
        lambda: seconds([sys.executable, "-c", "import httpx"]),
        rounds=15,
    )


def uninvolved_pytest() -> tuple[float, float, float]:
    """A pytest run with the plugin that nobody asks for anything, against one without it and 10 ms."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_one.py").write_text("def test_one():\n    pass\n")
        command = [sys.executable, "-m", "pytest", "-q", folder]
        return ratio(lambda: seconds(command), lambda: seconds([*command, "-p", "no:btdiag"]) + 0.010, rounds=15)


def quick_run() -> tuple[float, float, float]:
    """First byte to last verdict of a quick run, against the same exchanges made side by side by one curl process."""
    lab = labhost.start("healthy")
    try:
        target = lab.ready()["target"]
        with tempfile.TemporaryDirectory() as folder:
            curl = ["curl", "-s", "-Z", "-K", str(_curl_config(Path(folder), target))]
            return ratio(_measured_s, lambda: seconds(curl))
    finally:
        lab.stop()


def _measured_s() -> float:
    report = run_json("lab:healthy", "--quick", "--browser", "none", own_process=True).report
    return float(report["run"]["duration_s"])


def _curl_config(folder: Path, target: dict[str, Any]) -> Path:
    """A curl configuration with the requests of a quick run, each on a connection of its own, side by side (-Z)."""
    report = run_json("lab:healthy", "--quick", "--browser", "none").report
    requests = list(_requests(report["measurements"]))
    host, _, port = target["url"].removeprefix("https://").partition(":")
    lines = []
    for number, (method, url, label, headers) in enumerate(requests):
        path = "/" + url.split("/", 3)[3] if url.count("/") > 2 else "/"
        lines += ["next"] if number else []
        lines += [f'url = "https://{host}:{port}{path}"', f'request = "{method}"', f'cacert = "{target["ca"]}"']
        address = f"[{label}]" if ":" in label else label
        lines += [f'resolve = "{host}:{port}:{address}"', 'output = "/dev/null"', 'header = "Connection: close"']
        lines += [f'header = "{name}: {value}"' for name, value in headers]
    config = folder / "curl.conf"
    config.write_text("\n".join(lines))
    return config


def _requests(measurements: dict[str, Any]) -> list[tuple[str, str, str, list[list[str]]]]:
    """Every exchange that stands in the report's facts, but streams: curl would wait for their end, btdiag does not."""
    found = []

    def visit(value: object) -> None:
        if isinstance(value, dict):
            if {"method", "url", "label", "request_headers"} <= set(value):
                headers = [
                    pair
                    for pair in value["request_headers"]
                    if pair[0].lower() == "origin" or pair[0].lower().startswith("access-control-")
                ]
                found.append((value["method"], value["url"], value["label"], headers))
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            for item in value:
                visit(item)

    visit(measurements)
    return [entry for entry in found if _is_address(entry[2]) and not entry[1].endswith("/sse")]


def _is_address(label: str) -> bool:
    try:
        ip_address(label)
    except ValueError:
        return False
    return True


def whole_command() -> tuple[float, float, float]:
    """The whole quick command, its lab included, against the 1.5 s that it may take."""
    command = [sys.executable, "-m", "btdiag", "run", "--target", "lab:healthy", "--quick", "--browser", "none"]
    ours = statistics.median(seconds([*command, "--no-files"]) for _ in range(ROUNDS))
    return ours, 1.5, ours / 1.5


def full_run() -> tuple[float, float, float] | None:
    """A full run with a long wait against the longest chain of its waits."""
    report = run_json("lab:keepalive-long", "--browser", "none", timeout=180, own_process=True).report
    waited = report["run"]["longest_wait_s"]
    if waited < 20:
        return None
    return report["run"]["duration_s"], waited, report["run"]["duration_s"] / waited


_VALUES = """global:
  orgName: globex
cloud: aws
objectStorage:
  aws: {brainstoreBucket: index, responseBucket: responses, codeBundleBucket: bundles}
api:
  replicas: 4
  resources:
    requests: {cpu: "2", memory: 4Gi}
    limits: {cpu: "4", memory: 8Gi}
  extraEnvVars:
    - name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS
      value: "310"
brainstore:
"""
_ROLE = """  {role}:
    replicas: 2
    resources:
      requests: {{cpu: "16", memory: 32Gi}}
      limits: {{cpu: "16", memory: 32Gi}}
    nodeSelector:
      node.kubernetes.io/instance-type: c8gd.8xlarge
    tolerations:
      - {{key: dedicated, operator: Equal, value: brainstore, effect: NoSchedule}}
"""
_PARSE = """import pathlib, sys
from ruamel.yaml import YAML
for file in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    YAML(typ="safe", pure=True).load(file.read_text())
"""
_WALK = """import os, sys
for _, _, files in os.walk(sys.argv[1]):
    for file in files:
        pass
"""


def lint_of_files() -> tuple[float, float, float]:
    """Lint of 1,000 files of values against parsing them with ruamel.yaml alone."""
    text = _VALUES + "".join(_ROLE.format(role=role) for role in ("reader", "fastreader", "writer"))
    with tempfile.TemporaryDirectory() as name:
        for number in range(1000):
            (Path(name) / str(number)).mkdir()
            (Path(name) / str(number) / "values.yaml").write_text(text)
        return ratio(
            lambda: seconds([sys.executable, "-m", "btdiag", "lint", name]),
            lambda: seconds([sys.executable, "-c", _PARSE, name]),
            rounds=2,
        )


def lint_of_a_folder() -> tuple[float, float, float]:
    """Lint of a folder of 10,000 files of which one matters, against walking it; start-up of Python in both."""
    with tempfile.TemporaryDirectory() as name:
        for number in range(100):
            (Path(name) / str(number)).mkdir()
            for other in range(100):
                (Path(name) / str(number) / f"{other}.txt").write_text("braintrust")
        (Path(name) / "values.yaml").write_text(_VALUES)
        return ratio(
            lambda: seconds([sys.executable, "-m", "btdiag", "lint", name]),
            lambda: seconds([sys.executable, "-c", _WALK, name]),
        )


MANY = ["--only", "connection", "--only", "readiness", "--quick", "--no-files", "-q", "--no-progress"]
MOST = 1_000
_ASKED = [("HEAD", "/"), *[("GET", "/")] * 6, *[("GET", "/version")] * 4, ("GET", "/status")]


def many_targets() -> list[list[str]]:
    """A quick look at 1,000 data planes: targets per second against those of one curl process that makes the same
    exchanges, processor time against processor time, and the memory of 1,000 against that of 10."""
    with plant(MOST) as served:
        curl = ["curl", "-s", "-Z", "--parallel-max", "50", "-K", str(_many_config(served))]
        pairs = [(_used(_many(served, MOST), served.ca), _used(curl, served.ca)) for _ in range(3)]
        few = _used(_many(served, 10), served.ca)
    ours, theirs = ([statistics.median(one[side][n] for one in pairs) for n in range(3)] for side in (0, 1))
    speed = statistics.median(one[1][0] / one[0][0] for one in pairs)
    effort = statistics.median(one[0][1] / one[1][1] for one in pairs)
    name = f"{MOST:,} targets"
    return [
        [
            f"{name} a second ÷ those of curl",
            f"{MOST / ours[0]:.1f}",
            f"{MOST / theirs[0]:.1f}",
            f"{speed:.2f}",
            ">= 0.5",
        ],
        [
            f"processor time of {name} ÷ that of curl",
            f"{1000 * ours[1] / MOST:.1f} ms each",
            f"{1000 * theirs[1] / MOST:.1f} ms each",
            f"{effort:.2f}",
            "",
        ],
        [f"memory of {name} ÷ of 10", f"{ours[2]:.0f} MB", f"{few[2]:.0f} MB", f"{ours[2] / few[2]:.2f}", "<= 3"],
    ]


def _many(served: Plant, number: int) -> list[str]:
    return [sys.executable, "-m", "btdiag", "run", "--targets", str(served.listed(number)), *MANY]


def _many_config(served: Plant) -> Path:
    """The requests that a quick look sends to each target, each on a connection of its own; the handshakes by which it
    tries TLS 1.2 and 1.3 are requests here."""
    lines: list[str] = []
    for url in served.urls:
        for method, path in [*_ASKED, ("HEAD", "/#1.2"), ("HEAD", "/#1.3")]:
            path, _, version = path.partition("#")
            lines += ["next"] if lines else []
            lines += [f'url = "{url}{path}"', f'cacert = "{served.ca}"', 'output = "/dev/null"', "silent"]
            lines += ['header = "Connection: close"', *(["head"] if method == "HEAD" else [])]
            lines += [f"tlsv{version}", f"tls-max = {version}"] if version else []
    config = served.folder / "many.conf"
    config.write_text("\n".join(lines))
    return config


def _used(command: Sequence[str], ca: Path) -> tuple[float, float, float]:
    """Seconds of the wall clock and of the processor, and MB of memory at most, of one process."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=CLEAN | {"SSL_CERT_FILE": str(ca)}
    )
    _, _, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


LOG_LINES = 300_000  # about 100 MB, from which on the second of a process's start does not count


def log_file(folder: Path) -> Path:
    """An nginx log with upstream times, one line in 500 a 502."""
    chance = random.Random(1)
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    moment = 1_795_682_467.0
    path = folder / "access.log"
    with path.open("w") as file:
        for number in range(LOG_LINES):
            moment += chance.expovariate(50)
            lost = chance.random() < 0.002
            status, header = (502, "-") if lost else (200, "0.012")
            stamp = datetime.fromtimestamp(moment, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
            file.write(
                f'10.0.0.{number % 250} - - [{stamp}] "POST /btql?x={number} HTTP/1.1" {status} 314 "-" "{agent}"'
                f" host=api.lab.example msec={moment:.3f} rt=0.012 uct=0.000 uht={header} urt=0.012"
                f' ua="10.1.0.{number % 3}:8000" us="{status}" ubr="{0 if lost else 412}" c={number} cr=1 compl=OK\n'
            )
    return path


def logs_plain() -> tuple[float, float, float]:
    """`btdiag logs` on a log of 100 MB, against `grep -c ' 502 '`."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(log_file(Path(folder)))
        return ratio(lambda: seconds(_logs(path)), lambda: seconds(["grep", "-c", " 502 ", path]), rounds=3)


def logs_packed() -> tuple[float, float, float]:
    """The same packed, against `zgrep`."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(log_file(Path(folder)))
        subprocess.run(["gzip", "-1", path], check=True)
        packed = f"{path}.gz"
        return ratio(lambda: seconds(_logs(packed)), lambda: seconds(["zgrep", "-c", " 502 ", packed]), rounds=3)


def logs_memory() -> tuple[float, float, float]:
    """Peak memory on the whole log against that on its tenth, in MB (the table shows thousandths of them)."""
    with tempfile.TemporaryDirectory() as folder:
        path = log_file(Path(folder))
        tenth = path.with_name("tenth.log")
        with path.open("rb") as whole, tenth.open("wb") as part:
            part.write(whole.read(path.stat().st_size // 10))
        sizes = [_peak_mb(str(one)) for one in (path, tenth)]
    return sizes[0] / 1000, sizes[1] / 1000, sizes[0] / sizes[1]


def _logs(path: str) -> list[str]:
    return [sys.executable, "-m", "btdiag", "logs", path, "--format", "json"]


def _peak_mb(path: str) -> float:
    """Peak resident memory of one process that reads a log."""
    code = (
        "import resource, sys; from btdiag.logs import reading; from btdiag.logs.account import Account\n"
        "with reading.opened_log(sys.argv[1]) as file: Account('x').read(reading.log_lines(file))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True, env=CLEAN)
    return int(done.stdout) / 1024


def main() -> None:
    """Measure everything and print the table."""
    rows = []
    for name, allowed, measure in (
        ("start-up: btdiag --version ÷ python -c 'import httpx'", 1.0, start_up),
        ("pytest with the plugin and no target ÷ without it, and 10 ms", 1.0, uninvolved_pytest),
        ("quick run, first byte to last verdict ÷ the same exchanges by curl", 3.0, quick_run),
        ("whole quick command ÷ 1.5 s", 1.0, whole_command),
        ("full run ÷ its longest wait", 1.05, full_run),
        ("lint of 1,000 files ÷ parsing them with ruamel.yaml", 2.0, lint_of_files),
        ("lint of a folder of 10,000 files ÷ walking it", 20.0, lint_of_a_folder),
        ("logs, 100 MB ÷ grep -c ' 502 '", 14.6, logs_plain),
        ("logs, the same as gzip ÷ zgrep -c ' 502 '", 10.0, logs_packed),
        ("logs, peak memory of 100 MB ÷ that of 10 MB", 1.1, logs_memory),
    ):
        figures = measure()
        if figures is not None:
            ours, theirs, found = figures
            rows.append([name, f"{ours * 1000:.0f} ms", f"{theirs * 1000:.0f} ms", f"{found:.2f}", f"<= {allowed:g}"])
    rows += many_targets()
    print(f"{platform.platform()}, Python {platform.python_version()}, {json.dumps(_cpus())} processors\n")
    print(tabulate(rows, headers=("what", "btdiag", "other", "ratio", "aim"), tablefmt="github"))


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
