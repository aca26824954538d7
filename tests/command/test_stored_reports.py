"""Reports that were stored: shown again, compared, merged, and packed for a ticket."""

from __future__ import annotations

import json
import zipfile
from functools import partial
from pathlib import Path

import pytest

from btdiag.config.options import FORMAT_NAMES
from tests.support import cli

btdiag = partial(cli.btdiag, traced=True)  # what no test reaches within its own process counts

ONLY = ("--only", "dns", "--only", "connection", "--browser", "none", "--quick")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of one report for each of some scenarios."""
    folders = {}
    for name in ("healthy", "tcp-refused", "dns-nxdomain"):
        place = tmp_path_factory.mktemp(name)
        cli.btdiag("run", "--target", f"lab:{name}", *ONLY, "-o", str(place))
        (folders[name],) = place.iterdir()
    # the lab chooses new ports each time: make the reports speak of one target
    url = json.loads((folders["healthy"] / "report.json").read_text())["target"]
    for folder in folders.values():
        report = json.loads((folder / "report.json").read_text())
        report["target"] |= {"url": url["url"], "port": url["port"]}
        (folder / "report.json").write_text(json.dumps(report))
    return folders


@pytest.mark.parametrize("format_", FORMAT_NAMES)
def test_show_renders_again_and_exits_as_the_run_did(stored: dict[str, Path], format_: str) -> None:
    for name, code in (("healthy", 0), ("tcp-refused", 1)):
        done = btdiag("show", str(stored[name] / "report.json"), "--format", format_)
        assert done.code == code
        assert done.out


def test_show_gives_what_the_run_wrote(stored: dict[str, Path]) -> None:
    folder = stored["tcp-refused"]
    assert btdiag("show", str(folder)).out.startswith("✗ FAIL")
    again = json.loads(btdiag("show", str(folder), "--format", "json").out)
    assert again == json.loads((folder / "report.json").read_text())


def test_compare_says_what_got_worse_and_what_was_fixed(stored: dict[str, Path]) -> None:
    worse = btdiag("compare", str(stored["healthy"]), str(stored["tcp-refused"]))
    assert worse.code == 1
    assert "connection.tcp-connects" in worse.out
    assert btdiag("compare", str(stored["tcp-refused"]), str(stored["healthy"])).code == 0
    assert btdiag("compare", str(stored["healthy"]), str(stored["healthy"]), "--format", "json").code == 0


def test_compare_refuses_different_targets(stored: dict[str, Path], tmp_path: Path) -> None:
    report = json.loads((stored["healthy"] / "report.json").read_text())
    report["target"]["url"] = "https://other.example"
    (tmp_path / "report.json").write_text(json.dumps(report))
    done = btdiag("compare", str(stored["healthy"]), str(tmp_path))
    assert done.code == 2
    assert len(done.err.splitlines()) == 1


def test_a_pods_log_is_merged_as_it_comes(stored: dict[str, Path], tmp_path: Path) -> None:
    report = json.loads((stored["healthy"] / "report.json").read_text())
    report["run"]["vantage"] |= {
        "hostname": "btdiag-x7k2p",
        "pod": {"namespace": "braintrust", "service_account": False, "search": [], "ndots": 5, "mesh": ""},
    }
    log = tmp_path / "log"
    log.write_text(f"2026-11-27T09:00:00Z btdiag: pass: Healthy\n2026-11-27T09:00:00Z {json.dumps(report)}\n")
    laptop = str(stored["dns-nxdomain"])
    done = cli.btdiag("merge", "-", laptop, prefix=["sh", "-c", f'exec "$@" <{log}', "sh"])
    assert done.code == 1, done.err
    assert "Works from the cluster (pod btdiag-x7k2p); breaks at DNS from " in " ".join(done.out.split())
    log.write_text("Error from server (NotFound)\n")
    assert cli.btdiag("merge", str(log), laptop).err.count("\n") == 1


def test_merge_shows_where_the_path_breaks(stored: dict[str, Path]) -> None:
    done = btdiag("merge", str(stored["healthy"]), str(stored["dns-nxdomain"]), "--format", "json")
    merged = json.loads(done.out)
    assert (merged["kind"], merged["verdict"], done.code) == ("merge", "fail", 1)
    assert merged["differences"]


def test_a_bundle_is_shown_before_it_is_written(stored: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "ticket.zip"
    refused = btdiag("bundle", str(stored["tcp-refused"]), "-o", str(path))
    assert (refused.code, path.exists()) == (2, False)
    assert "--yes" in refused.err
    assert "report.json" in refused.err
    done = btdiag("bundle", str(stored["tcp-refused"]), "-o", str(path), "--yes", "--anonymize")
    assert done.code == 0
    names = zipfile.ZipFile(path).namelist()
    assert {"manifest.json", "report.json", "report.html"} <= set(names)
    assert b"api.lab.example" not in b"".join(zipfile.ZipFile(path).read(name) for name in names)
    assert btdiag("bundle", str(stored["tcp-refused"]), "-o", str(path), "--yes").code == 2


@pytest.mark.parametrize("command", ["show", "bundle"])
@pytest.mark.parametrize("content", ["", "[]", '{"schema_version": 99}', '{"a": ' * 5000, "\x00"])
def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path, command: str, content: str) -> None:
    (tmp_path / "report.json").write_text(content)
    done = btdiag(command, str(tmp_path))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert btdiag(command, str(tmp_path / "nope.json")).code == 2
