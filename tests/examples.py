"""Makes reports/examples/ from the lab (`make examples`), or checks that it is fresh (`--check`).

Fresh means: a run against the same scenario still gives the same verdicts to the same claims, and every other format is
what the stored report.json renders to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from btdiag.report.documents import Context  # noqa: E402
from btdiag.report.formats import render  # noqa: E402
from btdiag.report.json_ import load  # noqa: E402
from tests.support.cli import run_json  # noqa: E402

FOLDER = ROOT / "reports" / "examples"
SCENARIOS = {
    "healthy": ("--quick",),
    "tls-missing-intermediate": ("--quick",),
    "root-502": ("--quick",),
    "cors-stale-headers": ("--quick",),
    "keepalive-race": (),
}
FILES = {
    "text": "report.txt",
    "markdown": "report.md",
    "junit": "report.xml",
    "html": "report.html",
    "sarif": "report.sarif",
    "openmetrics": "report.prom",
}
PLACE = "support-laptop"


def fresh(scenario: str) -> dict[str, Any]:
    """The report of a new run, without what belongs to the machine that made it."""
    report = run_json(f"lab:{scenario}", "--browser", "none", *SCENARIOS[scenario], timeout=120).report
    vantage = report["run"]["vantage"]
    vantage |= {"hostname": PLACE, "platform": "Linux-x86_64"}
    return report


def claims(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """What a report says, without times, ports and addresses."""
    return {check["id"]: (check["title"], check["verdict"]) for check in report["checks"]}


def write(scenario: str) -> None:
    """Make one example anew."""
    folder = FOLDER / scenario
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(fresh(scenario), indent=2, ensure_ascii=False) + "\n", "utf-8")
    for format_, text in renderings(folder).items():
        (folder / FILES[format_]).write_text(text, "utf-8")


def renderings(folder: Path) -> dict[str, str]:
    """Every other format of the stored report.json."""
    document = load((folder / "report.json").read_text("utf-8"))
    return {format_: render(document, format_, Context()) for format_ in FILES}


def stale(scenario: str) -> list[str]:
    """What is no longer true of one example."""
    folder = FOLDER / scenario
    if not (folder / "report.json").exists():
        return [f"{scenario}: missing"]
    stored = claims(json.loads((folder / "report.json").read_text("utf-8")))
    found = [f"{scenario}: verdicts differ"] if stored != claims(fresh(scenario)) else []
    for format_, text in renderings(folder).items():
        path = folder / FILES[format_]
        if not path.exists() or path.read_text("utf-8") != text:
            found.append(f"{scenario}: {path.name} is not what report.json renders to")
    return found


def main(arguments: list[str]) -> int:
    """Write, or check; returns the exit code."""
    if arguments != ["--check"]:
        for scenario in SCENARIOS:
            write(scenario)
        return 0
    found = [line for scenario in SCENARIOS for line in stale(scenario)]
    print("\n".join(found) or "reports/examples is fresh")
    if found:
        print("make examples renders them anew")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
