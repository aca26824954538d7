"""The documents say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from btdiag.cli import cli
from btdiag.lint.catalogue import RULES, rules_table
from btdiag.lint.ruletable import RANGES

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="no documents beside an installed package")
def test_the_table_of_rules_is_the_one_of_the_code() -> None:
    assert (ROOT / "docs" / "lint.md").read_text("utf-8").endswith(rules_table())


def test_ranges_are_of_rules() -> None:
    assert set(RANGES) <= set(RULES)


def _page() -> str:
    path = ROOT / "docs" / "lint.md"
    if not path.exists():
        pytest.skip("no documents beside an installed package")
    return path.read_text("utf-8")


def _yaml_blocks() -> list[Any]:
    return [YAML(typ="safe").load(text) for text in re.findall(r"```yaml\n(.*?)```", _page(), re.DOTALL)]


def test_commands_in_the_page_are_ones_that_the_program_takes() -> None:
    known = set(re.findall(r"--[a-z-]+", CliRunner().invoke(cli, ["lint", "--help"]).output))
    commands = re.findall(r"btdiag lint([^\n`|>&]*)", _page())
    assert len(commands) > 8
    for command in commands:
        assert set(re.findall(r"(?<!\S)--[a-z-]+", command)) <= known, command


def test_recipes_are_yaml_and_name_what_there_is() -> None:
    hooks, steps, workflows = _yaml_blocks()
    declared = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert [one["id"] for one in hooks[0]["hooks"]] == [declared[0]["id"]]
    assert steps[0]["run"].startswith("btdiag lint deploy/ --format sarif")
    assert steps[1]["with"]["sarif_file"] in steps[0]["run"]
    runs = [step["run"] for step in workflows["workflows"]["braintrust"]["plan"]["steps"] if isinstance(step, dict)]
    assert runs[0].split(" > ")[1] == runs[1].split()[2]


@pytest.mark.parametrize(
    ("name", "matters"),
    [
        ("deploy/values.yaml", True),
        ("values-prod.yml", True),
        ("infra/main.tf", True),
        ("prod.tfvars", True),
        ("api.env", True),
        ("README.md", False),
        ("templates/deployment.yaml", False),
    ],
)
def test_the_hook_looks_at_what_lint_reads(name: str, matters: bool) -> None:
    if not (ROOT / ".pre-commit-hooks.yaml").exists():
        pytest.skip("no hook beside an installed package")
    hook = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))[0]
    assert (re.search(hook["files"], name) is not None) is matters
