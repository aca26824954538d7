"""The embedded pytest: what it collects, what it refuses, and that nothing of the user's pytest set-up gets in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.engine.checks import Check, checks_folder
from btdiag.engine.registry import Registry, RegistryError, shipped
from btdiag.engine.session import Attempt, CollectionError, run


@dataclass
class Recorder:
    """A `session.Work` that hands out values by name and keeps what became of the checks."""

    values: dict[str, object] = field(default_factory=dict)
    targets: int = 1
    checks: list[str] = field(default_factory=list)
    attempts: dict[tuple[int, str], Attempt] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def begin(self, checks: Sequence[Check], registry: Registry) -> None:
        self.checks = [check.id for check in checks]
        self.names = set(registry.specs)

    def value(self, target_number: int, name: str) -> object:
        return self.values.get(name, NotMeasured(reason=f"no {name}"))

    def due(self, target_number: int) -> Sequence[str]:
        return [check_id for check_id in self.checks if (target_number, check_id) not in self.attempts]

    def judged(self, target_number: int, check_id: str, attempt: Attempt) -> None:
        self.attempts[target_number, check_id] = attempt


def folder(tmp_path: Path, **files: str) -> Path:
    place = tmp_path / f"checks_{tmp_path.name}"  # pytest keeps modules by name within one process
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        path = place / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return place


def execute(place: Path, work: Recorder, registry: Registry | None = None) -> None:
    run([(place, True)], registry or Registry(), work)


HEAD = "from btdiag.core.measurement import *\nfrom btdiag.core.finding import *\n"


def test_every_outcome_is_told_apart(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        check_own=HEAD
        + """
def check_nothing(): pass
def check_found(): return conclude(Finding(verdict=Verdict.PASS, summary="fine"))
def check_warned(): return conclude(Finding(verdict=Verdict.WARN, summary="careful"))
def check_asserted(): assert 1 == 2, "one is not two"
def check_crashed(): return 1 / 0
def check_wrong_type(): return "a text"
def check_missing(five): return five
def check_tolerant(five: int | NotMeasured): assert isinstance(five, NotMeasured)
def check_unknown(nosuch): pass
@measurement(budget=1, why="a test")
async def five(): return 5
""",
    )
    work = Recorder()
    execute(place, work)
    outcome = {check_id: work.attempts[0, check_id] for check_id in work.checks}
    assert outcome["own.nothing"] == Attempt(duration_s=outcome["own.nothing"].duration_s)
    assert outcome["own.found"].finding is not None
    warned = outcome["own.warned"].finding
    assert warned is not None
    assert warned.verdict is Verdict.WARN
    assert "one is not two\nassert 1 == 2" in str(outcome["own.asserted"].assertion)
    assert "ZeroDivisionError" in str(outcome["own.crashed"].crash)
    assert "must return a Finding" in str(outcome["own.wrong-type"].crash)
    assert outcome["own.missing"].missing == (("five", NotMeasured(reason="no five")),)
    assert outcome["own.tolerant"].crash is None
    assert outcome["own.tolerant"].assertion is None
    assert "'nosuch'" in str(outcome["own.unknown"].crash)
    assert "five" in work.names


def test_each_check_runs_once_for_every_target(tmp_path: Path) -> None:
    work = Recorder(targets=3)
    execute(folder(tmp_path, check_own="def check_a(): pass\n"), work)
    assert sorted(work.attempts) == [(0, "own.a"), (1, "own.a"), (2, "own.a")]


def test_no_target_means_only_a_list(tmp_path: Path) -> None:
    work = Recorder(targets=0)
    execute(folder(tmp_path, check_own="def check_a(): pass\n"), work)
    assert (work.checks, work.attempts) == (["own.a"], {})


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"check_own": "def broken(:\n"}, "cannot be loaded"),
        ({"check_own": "import no_such_module\n"}, "no_such_module"),
        ({"check_own": "def check_a(): pass\n", "more/check_own": "def check_a(): pass\n"}, "exists already"),
        (
            {"check_own": HEAD + "@measurement(budget=1, why='')\nasync def wire(): ...\ndef check_a(): pass\n"},
            "built-in",
        ),
    ],
)
def test_a_users_mistake_is_told_and_nothing_runs(tmp_path: Path, files: dict[str, str], words: str) -> None:
    work = Recorder()
    with pytest.raises(CollectionError, match=words):
        execute(folder(tmp_path, **files), work)
    assert work.attempts == {}


def test_a_measurement_that_exists_already_is_refused(tmp_path: Path) -> None:
    text = HEAD + "@measurement(budget=1, why='')\nasync def resolution(): ...\ndef check_a(): pass\n"
    with pytest.raises(CollectionError, match="resolution"):
        execute(folder(tmp_path, check_own=text), Recorder(), shipped())


def test_what_goes_wrong_in_the_work_reaches_the_caller(tmp_path: Path) -> None:
    class Broken(Recorder):
        def begin(self, checks: Sequence[Check], registry: Registry) -> None:
            raise RegistryError("no measuring today")

    with pytest.raises(RegistryError, match="no measuring today"):
        execute(folder(tmp_path, check_own="def check_a(): pass\n"), Broken())


def test_the_users_own_pytest_set_up_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path, check_own="def check_a(): assert 1 == 1\n", conftest="raise SystemExit('hostile')\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('hostile')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-flag\n")
    (tmp_path / "pyproject.toml").write_text("[broken")
    monkeypatch.chdir(tmp_path)
    for name, value in {"PYTEST_ADDOPTS": "--nonesuch", "PYTEST_PLUGINS": "hostile", "CI": "1"}.items():
        monkeypatch.setenv(name, value)
    work = Recorder()
    before = sorted(tmp_path.rglob("*"))
    execute(place, work)
    assert list(work.attempts) == [(0, "own.a")]
    assert [path for path in sorted(tmp_path.rglob("*")) if "__pycache__" not in str(path)] == before
    assert os.environ["PYTEST_ADDOPTS"] == "--nonesuch"


def test_every_shipped_file_of_checks_is_collected_and_explained() -> None:
    work = Recorder(targets=0)
    run([(checks_folder(), False)], shipped(), work)
    families = {file.stem.removeprefix("check_") for file in checks_folder().glob("check_*.py")}
    assert {check_id.partition(".")[0] for check_id in work.checks} == families
