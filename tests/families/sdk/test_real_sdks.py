"""What btdiag says of constrained SDKs is what the real SDKs do, in three Python versions and one of JavaScript.

Each data plane of tests/support/dataplanes.py has one fault. Eight things that programs do are done on it by the real
SDK (sdks/run_python.py, run_node.mjs) and foretold by btdiag; every one must come out as foretold: works, raises, or
loses its rows without an exception. tests/sdks.sh fetches the SDKs; only outside CI may they be missing.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.cli import CLEAN, Done, btdiag
from tests.support.dataplane import Contexts, Plane, Stage
from tests.support.dataplanes import PLANES

pytestmark = pytest.mark.real

SDKS = Path(os.environ.get("BTDIAG_SDKS") or Path.home() / ".cache" / "btdiag-sdks")
VERSIONS = ("python 0.34.0", "python 0.36.0", "python 0.48.1", "js 3.35.0")
SENDS = frozenset({"init_logger()", "init_logger() by project id", "init()", "init_dataset()", "Eval()"})
LIMIT = 30.0  # seconds for one plane; what takes longer has failed
AT_ONCE = 30  # targets in one run of btdiag, which takes at most 50
HERE = Path(__file__).parent / "sdks"

if not all((SDKS / name.replace(" ", "-")).is_dir() for name in VERSIONS) and not os.environ.get("CI"):
    pytest.skip("tests/sdks.sh has not fetched the SDKs", allow_module_level=True)


@dataclass(frozen=True)
class Observed:
    """What was seen: `lived` by plane, SDK and flow; the report by plane."""

    lived: dict[tuple[str, str, str], str]
    raised: dict[tuple[str, str, str], str]
    abroad: list[str]
    reports: dict[str, dict[str, Any]]

    def foretold(self, plane: Plane, sdk: str) -> dict[str, str]:
        """What btdiag says of each flow that does not work."""
        tables = [
            entry["data"]["rows"]
            for check in self.reports[plane.name]["checks"]
            for entry in check["evidence"]
            if entry["title"] == "What SDKs do here"
        ]
        rows = [(flow, outcome) for rows in tables for name, flow, outcome, _ in rows if name == sdk]
        return dict(sorted(rows, key=lambda row: row[1] == "raises"))  # raises where two findings speak of a flow

    def lives(self, plane: Plane, sdk: str) -> dict[str, str]:
        """What became of each flow that does not work."""
        return {
            flow: outcome
            for (name, language, flow), outcome in self.lived.items()
            if (name, language) == (plane.name, sdk) and outcome != "works"
        }

    def summaries(self, plane: Plane) -> list[str]:
        """What the checks of SDKs say."""
        checks = self.reports[plane.name]["checks"]
        return [str(check["summary"]) for check in checks if check["id"].startswith("sdk.")]


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """All SDKs and btdiag on all planes, at the same time: most of it is waiting."""
    folder = tmp_path_factory.mktemp("sdks")
    ca, foreign = trustme.CA(), trustme.CA()
    ca_file = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    stage = Stage(PLANES, Contexts(trusted=_context(ca), foreign=_context(foreign)))
    with stage.serving(), ThreadPoolExecutor(len(VERSIONS)) as pool, ThreadPoolExecutor(2) as few:
        runs = {sdk: pool.submit(_lived, sdk, stage, ca_file) for sdk in VERSIONS}
        told = [few.submit(_reports, group, stage, ca_file, folder) for group in _groups()]
        reports = {name: report for future in told for name, report in future.result().items()}
        yield _observed(runs, stage, reports)


def _observed(runs: dict[str, Future[dict[str, Any]]], stage: Stage, reports: dict[str, dict[str, Any]]) -> Observed:
    lived, raised, abroad = {}, {}, []
    for sdk, future in runs.items():
        for name, flows in future.result().items():
            for flow, found in flows.items():
                arrived = f"{_key(sdk, name)} {flow}".replace(" ", "-") in stage.arrived
                lost = not arrived if flow in SENDS else bool(found.get("hangs"))
                silent = "rows are lost silently" if flow in SENDS else "raises"
                lived[name, sdk, flow] = "raises" if found["raised"] else silent if lost else "works"
                raised[name, sdk, flow] = found["raised"]
                abroad += found["abroad"]
    return Observed(lived=lived, raised=raised, abroad=abroad, reports=reports)


def _context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context


def _key(sdk: str, plane: str) -> str:
    return f"sk-{sdk}-{plane}"


def _lived(sdk: str, stage: Stage, ca_file: Path) -> dict[str, Any]:
    """What one SDK lives through on every plane."""
    language, version = sdk.split(" ")
    work = [
        {
            "name": plane.name,
            "environment": stage.environment(plane),
            "key": _key(sdk, plane.name),
            "patience": plane.patience,
            "limit": LIMIT,
        }
        for plane in stage.planes
    ]
    env = {name: value for name, value in CLEAN.items() if not name.startswith(("COVERAGE_", "BRAINTRUST_"))}
    needs = SDKS / f"python-needs-{sys.implementation.cache_tag}"
    env |= {
        "PYTHONPATH": f"{SDKS / f'python-{version}'}{os.pathsep}{needs}",
        "REQUESTS_CA_BUNDLE": str(ca_file),
        "NODE_EXTRA_CA_CERTS": str(ca_file),
    }
    python = [sys.executable, str(HERE / "run_python.py")]
    node = ["node", str(HERE / "run_node.mjs"), str(SDKS / f"js-{version}")]
    done = subprocess.run(
        python if language == "python" else node,
        input=json.dumps({"planes": work}),
        env=env,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _groups() -> list[list[Plane]]:
    """The planes that one run of btdiag can look at: with the same variables and options, and not too many."""
    groups: dict[str, list[Plane]] = {}
    for plane in PLANES:
        own = {name: value for name, value in plane.environment.items() if name != "BRAINTRUST_APP_URL"}
        named = plane.name if any("{" in value for value in own.values()) else ""
        groups.setdefault(json.dumps([own, named, plane.options]), []).append(plane)
    return [group[i : i + AT_ONCE] for group in groups.values() for i in range(0, len(group), AT_ONCE)]


def _reports(group: Sequence[Plane], stage: Stage, ca_file: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """What btdiag says of each plane of a group."""
    first = group[0]
    profile = folder / f"{first.name}.toml"
    tables = [
        f'[targets."{stage.url(plane)}"]\napp_url = "{stage.environment(plane)["BRAINTRUST_APP_URL"]}"\n'
        for plane in group
    ]
    profile.write_text("\n".join(tables))
    given = {name: value for name, value in stage.environment(first).items() if name in first.environment}
    done = btdiag(
        *("run", "--profile", str(profile), "--ca", str(ca_file), "--quick", "--browser", "none", "--no-files"),
        *("--budget", "240s"),
        *(word for plane in group for word in ("--target", stage.url(plane))),
        *("--only", "sdk", "--only", "ratelimit", "--only", "connection.tls-is-trusted", "--format", "json"),
        *first.options,
        env={**given, "BRAINTRUST_APP_URL": None, "BRAINTRUST_API_KEY": "sk-of-btdiag"},
        timeout=240,
        traced=False,
    )
    return dict(zip((plane.name for plane in group), _each(done), strict=True))


def _each(done: Done) -> list[dict[str, Any]]:
    assert done.out, done.err
    report = done.report
    found: list[dict[str, Any]] = report.get("reports", [report])
    return found


def test_everything_works_where_nothing_is_wrong(observed: Observed) -> None:
    whole = next(plane for plane in PLANES if plane.name == "everything")
    told = {key: why for key, why in observed.raised.items() if key[0] == whole.name and why}
    assert [observed.lives(whole, sdk) for sdk in VERSIONS] == [{}] * len(VERSIONS), told


def test_nothing_but_loopback_was_contacted(observed: Observed) -> None:
    assert observed.abroad == []


@pytest.mark.parametrize("plane", [p for p in PLANES if not p.told_by], ids=lambda plane: plane.name)
@pytest.mark.parametrize("sdk", VERSIONS)
def test_each_sdk_does_what_is_foretold(observed: Observed, sdk: str, plane: Plane) -> None:
    lives = observed.lives(plane, sdk)
    assert observed.foretold(plane, sdk) == lives
    if "rows are lost silently" in lives.values():
        told = [sentence for sentence in observed.summaries(plane) if "without an exception" in sentence]
        assert any(sdk in sentence for sentence in told)


@pytest.mark.parametrize("plane", PLANES, ids=lambda plane: plane.name)
def test_the_verdict_is_what_sdks_do(observed: Observed, plane: Plane) -> None:
    """Where something is lost or raised btdiag fails (or says why it cannot tell), elsewhere no check of SDKs does."""
    hurt = [sdk for sdk in VERSIONS if observed.lives(plane, sdk)]
    found = {c["id"]: c["verdict"] for c in observed.reports[plane.name]["checks"]}
    of_sdks = [verdict for check_id, verdict in found.items() if check_id.startswith("sdk.")]
    if plane.told_by:
        assert (bool(hurt), found[plane.told_by]) == (plane.hurts, plane.told_as)
    elif plane.told_as == "fail":
        assert ("fail" in of_sdks) == bool(hurt)
    else:
        assert hurt
        assert plane.told_as in of_sdks
        assert "fail" not in of_sdks
