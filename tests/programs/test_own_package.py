"""Own checks as a package: the repository that the page shows is built, found and run; a broken one is told."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel

from btdiag.config import UsageError
from btdiag.engine.packages import installed
from tests.support.cli import run_json

PAGE = Path(__file__).parents[2] / "docs" / "own-checks.md"


def test_the_repository_of_the_page_is_built_and_its_checks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, place = tmp_path / "acme-checks", tmp_path / "site"
    for name, text in re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    monkeypatch.chdir(repository)
    zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))).extractall(place)
    done = run_json("lab:healthy", "--only", "acme", env={"PYTHONPATH": str(place)})
    assert done.verdicts == {"acme.version-is-told-promptly": "pass"}, done


def installed_as(folder: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose entry point names `value`."""
    info = folder / "acme-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[btdiag.checks]\nacme = {value}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_package_is_found_without_being_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_never").mkdir()
    (tmp_path / "acme_never" / "__init__.py").write_text("raise SystemExit\n")
    installed_as(tmp_path, "acme_never", monkeypatch)
    assert tmp_path / "acme_never" in installed()


@pytest.mark.parametrize("value", ["acme_gone", "acme_gone.checks", "json.decoder"])
def test_a_package_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    installed_as(tmp_path, value, monkeypatch)
    with pytest.raises(UsageError, match=f"checks '{value}' of acme, by its entry point btdiag.checks"):
        installed()
