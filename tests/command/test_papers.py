"""What the README and the pages under docs/ say can be done, can be done as it stands there."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from btdiag.engine.catalogue import Catalogue, catalogue, in_the_lab
from btdiag.engine.checks import Check
from btdiag.engine.labhost import declared_scenarios
from btdiag.serve.modules import modules
from tests import docs
from tests.support.cli import btdiag

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
WRITTEN = [README, *sorted((ROOT / "docs").glob("*.md"))]
MADE = [*sorted((ROOT / "docs" / "checks").glob("*.md")), ROOT / "reports" / "examples" / "README.md"]
TARGET = "https://braintrust.example.com"
# What names hosts of the internet is not run in a test, only planned.
ELSEWHERE = ("://", "--role data-plane")


def symptoms() -> dict[str, list[str]]:
    """What the README's table of symptoms has to run, with the ids of the checks that decide."""
    table = README.read_text("utf-8").partition("<!-- symptoms -->\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    measured = [(command, decided) for _, command, decided in rows if command.startswith("`btdiag run")]
    return {command.strip("`"): re.findall(r"`([^`]+)`", decided) for command, decided in measured}


SYMPTOMS = symptoms()


def in_a_lab(command: str) -> bool:
    return not any(part in command for part in ELSEWHERE)


@pytest.fixture(scope="module")
def found() -> Catalogue:
    return catalogue()


def commands(page: Path) -> list[str]:
    """The commands `btdiag run` in the code blocks of a page, without their comments."""
    lines = (
        line
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for line in block.splitlines()
    )
    return [line.partition(" #")[0].strip() for line in lines if line.startswith("btdiag run")]


def test_the_table_of_symptoms_leads_to_checks_of_every_family_that_users_meet(found: Catalogue) -> None:
    ids = {check.id for check in found.checks}
    named = {check_id for decided in SYMPTOMS.values() for check_id in decided}
    assert named <= ids
    assert {check_id.partition(".")[0] for check_id in named} == {check.family for check in found.checks} - {"audit"}


@pytest.mark.parametrize("command", [each for each in SYMPTOMS if not in_a_lab(each)])
def test_a_command_of_the_table_for_hosts_elsewhere_can_be_planned(command: str, tmp_path: Path) -> None:
    done = btdiag(*shlex.split(command)[1:], "--dry-run", cwd=tmp_path, env={"BRAINTRUST_API_URL": TARGET})
    assert (done.code, TARGET in done.out) == (0, True), done


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=pytest.mark.real if "lna" in each else ()) for each in SYMPTOMS if in_a_lab(each)],
)
def test_a_command_of_the_table_decides_what_it_says(command: str, tmp_path: Path) -> None:
    first = SYMPTOMS[command][0]
    _, (scenario, *_) = next(iter(in_the_lab(first, declared_scenarios()).items()))
    more = ("--format", "json", "--no-files", *scenario["options"])
    environment = {"BRAINTRUST_API_URL": f"lab:{scenario['name']}"}
    done = btdiag(*shlex.split(command)[1:], *more, cwd=tmp_path, env=environment, timeout=120)
    assert done.verdicts[first] == ("fail" if first in scenario["fails"] else "warn")
    assert done.code == (1 if first in scenario["fails"] else 0)
    assert set(SYMPTOMS[command]) <= done.verdicts.keys()


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_every_command_of_a_page_is_one_that_btdiag_takes(page: Path, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("api: {}\n")
    (tmp_path / "production.tfvars").write_text("")
    (tmp_path / "targets.txt").write_text(f"{TARGET}\n")
    environment = {"BRAINTRUST_API_URL": TARGET}
    for command in dict.fromkeys(commands(page)):
        words = shlex.split(command.replace("$DATA_PLANE_URL", TARGET))[1:]
        done = btdiag(*words, "--dry-run", cwd=tmp_path, env=environment)
        assert done.code == 0, (command, done)


def test_reports_of_two_places_merge_as_the_readme_says(tmp_path: Path) -> None:
    for place in ("here", "there"):
        assert btdiag("run", "--target", "http://127.0.0.1:1", "--quick", "-o", place, cwd=tmp_path).code == 1
    reports = [str(path) for path in tmp_path.glob("*here/*/report.json")]
    assert len(reports) == 2
    done = btdiag("merge", *reports, cwd=tmp_path)
    assert (done.code, "all 2 places" in done.out) == (1, True), done


def test_the_profile_of_the_page_on_ci_is_one_that_may_lie_in_a_folder(tmp_path: Path) -> None:
    profile = re.search(r"<!-- profile -->\n```toml\n(.*?)```", (ROOT / "docs" / "ci.md").read_text("utf-8"), re.DOTALL)
    assert profile is not None
    (tmp_path / "btdiag.toml").write_text(profile[1])
    done = btdiag("run", "--dry-run", "--only", "dns", cwd=tmp_path)
    assert (done.code, TARGET in done.out) == (0, True), done


def test_the_profile_of_the_page_on_serving_gives_a_module(tmp_path: Path) -> None:
    profile = re.search(
        r"<!-- profile -->\n```toml\n(.*?)```", (ROOT / "docs" / "serve.md").read_text("utf-8"), re.DOTALL
    )
    assert profile is not None
    (tmp_path / "serve.toml").write_text(profile[1])
    found = modules({"profile": str(tmp_path / "serve.toml"), "target": (TARGET,)}, {}, tmp_path)
    assert found.by_name["patient"].mode.budget == 30


@pytest.mark.parametrize("page", [*WRITTEN, *MADE], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        name, _, anchor = link.partition("#")
        if "://" not in link:
            there = (page.parent / name).resolve() if name else page
            assert there.exists(), link
            assert not anchor or anchor in anchors(there), link


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_pages_of_checks_say_what_the_docstrings_say(found: Catalogue) -> None:
    shown = {name: seen(text) for name, text in docs.pages().items()}
    for check in found.checks:
        missing = [part for part in sayings(check) if part not in shown[f"{check.family}.md"]]
        assert not missing
        assert check.explanation.title.replace("`", "") in shown["README.md"]


def sayings(check: Check) -> list[str]:
    """All that a check's docstring says, without the marks of code."""
    text = check.explanation
    parts = [text.title, *text.why.split("\n\n"), text.measured, text.remedy, *text.sources]
    return [part.replace("`", "") for part in parts]


def seen(markdown: str) -> str:
    """What a reader sees of a page."""
    return html.unescape(re.sub(r"<[^>]+>", "", MarkdownIt("commonmark").enable("table").render(markdown)))
