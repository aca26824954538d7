"""The embedded pytest: what it collects, what it refuses, and that nothing of the user's pytest set-up gets in."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.engine.attempt import Attempt
from btdiag.engine.checks import checks_folder
from btdiag.engine.registry import Registry, RegistryError, shipped
from btdiag.engine.session import Collected, CollectionError, with_checks


def folder(tmp_path: Path, **files: str) -> Path:
    place = tmp_path / f"checks_{tmp_path.name}"  # pytest keeps modules by name within one process
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        path = place / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return place


def listed(place: Path, registry: Registry | None = None, *, own: bool = True) -> list[str]:
    """The ids of what is collected; nothing is run."""
    return with_checks([(place, own)], registry or Registry(), lambda found: [check.id for check in found.checks])


def judged(place: Path, within_s: float = 5.0, **facts: object) -> dict[str, Attempt]:
    """What becomes of every check on these facts."""

    def fact(name: str) -> object:
        return facts.get(name, NotMeasured(reason=f"no {name}"))

    def all_of(found: Collected) -> dict[str, Attempt]:
        return {check.id: found.judge(check, fact, within_s) for check in found.checks}

    return with_checks([(place, True)], Registry(), all_of)


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
    outcome = judged(place)
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


def test_a_users_measurements_are_collected_beside_the_checks(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        check_own=HEAD + "@measurement(budget=1, why='')\nasync def five(): ...\ndef check_a(five): assert five == 5\n",
    )
    names = with_checks([(place, True)], Registry(), lambda found: set(found.registry.specs))
    assert names == {"five"}


def test_a_check_runs_on_as_many_facts_as_there_are(tmp_path: Path) -> None:
    place = folder(
        tmp_path,
        check_own=HEAD + "@measurement(budget=1, why='')\nasync def n(): ...\ndef check_a(n): assert n != 2, n\n",
    )

    def three(found: Collected) -> list[str | None]:
        (check,) = found.checks
        return [found.judge(check, functools.partial(lambda n, name: n, n), 5.0).assertion for n in (1, 2, 3)]

    before, at, after = with_checks([(place, True)], Registry(), three)
    assert (before, after) == (None, None)
    assert str(at).startswith("2")


ENDLESS = {
    "sleeps": "import time\ndef check_a(): time.sleep(1000)\n",
    "loops": "import pathlib\nEND = pathlib.Path(__file__).with_name('end')\n"
    "def check_a():\n    while not END.exists(): pass\n",
}
"""By what they do. The loop sees the end of its test: threads cannot be killed, a busy one slows all that follow."""


@pytest.mark.parametrize("name", ENDLESS)
def test_a_users_check_that_never_ends_is_left_behind(tmp_path: Path, name: str) -> None:
    place = folder(tmp_path, check_own=ENDLESS[name], check_other="def check_b(): pass\n")
    outcome = judged(place, within_s=0.1)
    (place / "end").touch()
    assert "did not end within 0.1 s" in str(outcome["own.a"].crash)
    assert outcome["other.b"].crash is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import sys; sys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("return check_a()", "RecursionError"),
        ("raise NotHeldError(None)", "AttributeError"),
        ("return Finding(verdict='fail', summary='s')", "none of Verdict"),
        ("return Finding(verdict=Verdict.FAIL, summary=None)", "summary"),
        ("raise NotHeldError(Finding(verdict=Verdict.FAIL, summary='s', evidence=[1]))", "evidence"),
        (
            "return Finding(verdict=Verdict.PASS, summary='s', evidence=(shown({1: 2}),))",
            "JSON",
        ),
        (
            "x = []; x.append(x); return Finding(verdict=Verdict.PASS, summary='s', evidence=(shown(x),))",
            "deep",
        ),
        (
            "return Finding(verdict=Verdict.PASS, summary='s', evidence=(shown(float('nan')),))",
            "JSON",
        ),
        ("return Finding(verdict=Verdict.PASS, summary='s' * 10**7)", "summary"),
        ("return Finding(verdict=Verdict.PASS, summary='s', remedy='do it')", "Remedy"),
    ],
)
def test_an_odd_check_fails_alone(tmp_path: Path, body: str, words: str) -> None:
    helper = "def shown(data): return Evidence(kind='k', title='t', data=data)\n"
    place = folder(
        tmp_path, check_own=HEAD + helper + f"def check_a():\n    {body}\n", check_other="def check_b(): pass\n"
    )
    outcome = judged(place)
    assert words in str(outcome["own.a"].crash)
    assert outcome["other.b"].crash is None


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
    with pytest.raises(CollectionError, match=words):
        judged(folder(tmp_path, **files))


def test_a_measurement_that_exists_already_is_refused(tmp_path: Path) -> None:
    text = HEAD + "@measurement(budget=1, why='')\nasync def resolution(): ...\ndef check_a(): pass\n"
    with pytest.raises(CollectionError, match="resolution"):
        listed(folder(tmp_path, check_own=text), shipped())


def test_what_goes_wrong_in_the_work_reaches_the_caller(tmp_path: Path) -> None:
    def broken(found: Collected) -> None:
        raise RegistryError("no measuring today")

    with pytest.raises(RegistryError, match="no measuring today"):
        with_checks([(folder(tmp_path, check_own="def check_a(): pass\n"), True)], Registry(), broken)


def test_the_users_own_pytest_set_up_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = folder(tmp_path, check_own="def check_a(): assert 1 == 1\n", conftest="raise SystemExit('hostile')\n")
    (tmp_path / "conftest.py").write_text("raise SystemExit('hostile')\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-flag\n")
    (tmp_path / "pyproject.toml").write_text("[broken")
    monkeypatch.chdir(tmp_path)
    for name, value in {"PYTEST_ADDOPTS": "--nonesuch", "PYTEST_PLUGINS": "hostile", "CI": "1"}.items():
        monkeypatch.setenv(name, value)
    before = sorted(tmp_path.rglob("*"))
    assert list(judged(place)) == ["own.a"]
    assert [path for path in sorted(tmp_path.rglob("*")) if "__pycache__" not in str(path)] == before
    assert os.environ["PYTEST_ADDOPTS"] == "--nonesuch"


def test_every_shipped_file_of_checks_is_collected_and_explained() -> None:
    families = {file.stem.removeprefix("check_") for file in checks_folder().glob("check_*.py")}
    assert {check_id.partition(".")[0] for check_id in listed(checks_folder(), shipped(), own=False)} == families
