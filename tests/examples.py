"""Makes reports/examples/ from the lab (`make examples`), or checks that it is fresh (`--check`).

Fresh means: a run against the same scenario still gives the same verdicts to the same claims, and everything else (the
other formats, the gallery's page, the sample in the README) is what the stored report.json renders to.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from btdiag.core.report import Report  # noqa: E402
from btdiag.report.documents import Context  # noqa: E402
from btdiag.report.formats import render  # noqa: E402
from btdiag.report.json_ import load  # noqa: E402
from tests.support.cli import run_json  # noqa: E402

FOLDER = ROOT / "reports" / "examples"
GALLERY = FOLDER / "README.md"
README = ROOT / "README.md"
SIZE_LIMIT = 1_500_000  # bytes: a clone of the repository is not to wait for examples
FILES = {
    "text": "report.txt",
    "markdown": "report.md",
    "junit": "report.xml",
    "html": "report.html",
    "sarif": "report.sarif",
    "openmetrics": "report.prom",
}
SOURCE = "report.json"
PICTURE = "report.png"
PLACE = "support-laptop"
SAMPLE = "tls-missing-intermediate"
"""The example whose beginning the README shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What one example shows, in which formats beside JSON, and the options of its run. With `facts` its JSON keeps
    what the measurements saw, which makes it several times as large; `picture` adds the HTML report's head as PNG."""

    shows: str
    formats: tuple[str, ...]
    options: tuple[str, ...] = ("--quick",)
    facts: bool = False
    picture: bool = False


EXAMPLES = {
    "healthy": Example(
        shows="A sound data plane: one line that says so, and what this run could not see.",
        formats=("text", "markdown", "openmetrics"),
    ),
    "tls-missing-intermediate": Example(
        shows="A certificate without its intermediate: browsers work, SDKs do not. All formats.",
        formats=tuple(FILES),
    ),
    "root-502": Example(
        shows="The load balancer answers 502. What follows from that is skipped, not reported as more failures.",
        formats=("text", "junit"),
    ),
    "cors-stale-headers": Example(
        shows='"Failed to fetch" in the web app: the header that preflights refuse, the hop, its settings.',
        formats=("text", "html"),
    ),
    "keepalive-race": Example(
        shows="A 502 now and then: the race is provoked and drawn, with its controls, instead of guessed.",
        formats=("text", "html"),
        options=(),
        picture=True,
    ),
    "dns-nxdomain": Example(
        shows="A name that does not exist. The JSON is whole here: it holds what every measurement saw.",
        formats=("text",),
        facts=True,
    ),
}


def fresh(scenario: str) -> Report:
    """The report of a new run, without what belongs to the machine that made it."""
    example = EXAMPLES[scenario]
    found = report_of(run_json(f"lab:{scenario}", "--browser", "none", *example.options, timeout=120).out)
    here = replace(found.run.vantage, hostname=PLACE, platform="Linux-x86_64")
    records = tuple(record if example.facts else replace(record, fact=None) for record in found.measurements)
    return replace(found, run=replace(found.run, vantage=here), measurements=records)


def report_of(text: str) -> Report:
    """The report of one target that a report.json holds."""
    document = load(text)
    assert isinstance(document, Report)
    return document


def stored(scenario: str) -> Report:
    """The report of an example as it lies in its folder."""
    return report_of((FOLDER / scenario / SOURCE).read_text("utf-8"))


def claims(report: Report) -> dict[str, tuple[str, str]]:
    """What a report says, without times, ports and addresses."""
    return {check.id: (check.title, check.verdict) for check in report.checks}


def renderings() -> dict[Path, str]:
    """Every file that follows from the stored report.json files."""
    reports = {scenario: stored(scenario) for scenario in EXAMPLES}
    made = {
        FOLDER / scenario / FILES[format_]: render(reports[scenario], format_, Context())
        for scenario, example in EXAMPLES.items()
        for format_ in example.formats
    }
    sample = made[FOLDER / SAMPLE / FILES["text"]]
    return {**made, GALLERY: gallery(reports), README: with_sample(README.read_text("utf-8"), sample)}


def gallery(reports: Mapping[str, Report]) -> str:
    """The page that says what each example shows, and links its files."""
    parts = [
        "<!-- Made by `make examples`. -->\n\n# Example reports",
        "Runs against scenarios of the embedded lab. HTML files are whole in themselves: save one and open it. "
        "Facts of measurements, which are most of a report.json, are left out here but for one example.",
    ]
    for scenario, report in reports.items():
        example = EXAMPLES[scenario]
        names = [*(FILES[format_] for format_ in example.formats), SOURCE, *([PICTURE] if example.picture else ())]
        command = " ".join(["btdiag", "run", "--target", f"lab:{scenario}", "--browser", "none", *example.options])
        parts.append(
            f"## {scenario}\n\n{example.shows}\n\nVerdict `{report.verdict}`"
            + (f", root cause `{report.root_cause}`" if report.root_cause else "")
            + ": "
            + ", ".join(f"[{name}]({scenario}/{name})" for name in names)
            + f"\n\n```sh\n{command}\n```"
        )
    return "\n\n".join(parts) + "\n"


def with_sample(readme: str, report: str) -> str:
    """The README with the beginning of this text report, down to the path, in its place."""
    beginning, found, _ = report.partition("\n\nverdict ")
    assert found
    return re.sub(r"(?<=<!-- sample -->\n```text\n).*?(?=```)", lambda _: f"{beginning}\n", readme, flags=re.DOTALL)


def draw(scenario: str) -> None:
    """Take the picture of an example's HTML report; without Chromium the old one stays."""
    program = shutil.which("chromium")
    if program is None:
        print(f"no chromium here: {scenario}/{PICTURE} stays as it was")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--hide-scrollbars"])
        page = browser.new_page(viewport={"width": 1024, "height": 900})
        page.goto((FOLDER / scenario / FILES["html"]).as_uri())
        page.screenshot(path=FOLDER / scenario / PICTURE)
        browser.close()


def write() -> None:
    """Make all examples anew, and remove what belongs to none."""
    texts = {FOLDER / scenario / SOURCE: render(fresh(scenario), "json", Context()) for scenario in EXAMPLES}
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    made = renderings()
    for path, text in made.items():
        path.write_text(text, "utf-8")
    for path in strangers(made):
        path.unlink()
    for scenario, example in EXAMPLES.items():
        if example.picture:
            draw(scenario)


def strangers(made: Mapping[Path, str]) -> list[Path]:
    """The files among the examples that nothing makes."""
    sources = {FOLDER / scenario / SOURCE for scenario in EXAMPLES}
    pictures = {FOLDER / scenario / PICTURE for scenario, example in EXAMPLES.items() if example.picture}
    known = made.keys() | sources | pictures
    return [path for path in FOLDER.rglob("*") if path.is_file() and path not in known]


def stale() -> list[str]:
    """What is no longer true of the examples, a line each."""
    missing = [f"{scenario}: {SOURCE} is missing" for scenario in EXAMPLES if not (FOLDER / scenario / SOURCE).exists()]
    if missing:
        return missing
    found = [
        f"{scenario}: verdicts differ" for scenario in EXAMPLES if claims(stored(scenario)) != claims(fresh(scenario))
    ]
    made = renderings()
    for path, text in made.items():
        if not path.exists() or path.read_text("utf-8") != text:
            found.append(f"{path.relative_to(ROOT)} is not what {SOURCE} renders to")
    found += [f"{path.relative_to(ROOT)} belongs to no example" for path in strangers(made)]
    if (size := sum(path.stat().st_size for path in FOLDER.rglob("*"))) > SIZE_LIMIT:
        found.append(f"reports/examples has {size} bytes, more than {SIZE_LIMIT}")
    return found


def main(arguments: list[str]) -> int:
    """Write, or check; returns the exit code."""
    if arguments != ["--check"]:
        write()
        return 0
    found = stale()
    print("\n".join(found) or "reports/examples is fresh")
    if found:
        print("make examples renders them anew")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
