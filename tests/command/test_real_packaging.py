"""What is shipped: the wheel's contents, and that each documented way to install it gives a btdiag that works."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_sdist, build_wheel

from tests.support.cli import CLEAN

ROOT = Path(__file__).parents[2]
RUN = ("run", "--target", "lab:healthy", "--only", "dns", "--no-files")

pytestmark = pytest.mark.real


def call(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**CLEAN, **environment}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_has_the_checks_inside_the_package_and_nothing_beside_it(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shipped = {name for name in names if name.startswith("btdiag/checks/check_")}
    assert {Path(name).name for name in shipped} == {path.name for path in (ROOT / "checks").glob("check_*.py")}
    beside = [name for name in names if not name.startswith("btdiag/") and ".dist-info/" not in name]
    assert [name.partition(".data/")[2] for name in beside] == ["data/share/man/man1/btdiag.1"]
    assert "btdiag/report/schema.json" in names
    assert "btdiag/py.typed" in names
    assert [name for name in names if name.startswith("btdiag/report/templates/")]
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]


def test_both_packages_are_complete_and_the_same_each_time(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    sources = [tmp_path / str(number) / build_sdist(str(tmp_path / str(number))) for number in (1, 2)]
    assert sources[0].read_bytes() == sources[1].read_bytes()
    with tarfile.open(sources[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path / sources[0].name.removesuffix(".tar.gz"))
    assert (tmp_path / build_wheel(str(tmp_path))).read_bytes() == wheel.read_bytes()
    call(sys.executable, "-m", "check_wheel_contents", str(wheel), cwd=tmp_path)
    call(sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sources[0]), cwd=tmp_path)


def test_the_wheel_installs_and_runs_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    call(sys.executable, "-m", "venv", str(tmp_path / "venv"), cwd=tmp_path)
    binaries = tmp_path / "venv" / "bin"
    call(str(binaries / "pip"), "install", "-q", str(wheel), cwd=tmp_path)
    assert "Healthy" in call(str(binaries / "btdiag"), *RUN, cwd=tmp_path)
    assert "Healthy" in call(str(binaries / "python"), "-P", "-m", "btdiag", *RUN, cwd=tmp_path)
    assert call(str(binaries / "python"), "-P", "-c", "import btdiag; print(btdiag.__file__)", cwd=tmp_path).startswith(
        str(tmp_path)
    )
    call(str(binaries / "pip"), "install", "-q", "--no-deps", "-e", str(ROOT), cwd=tmp_path)
    assert "Healthy" in call(str(binaries / "btdiag"), *RUN, cwd=tmp_path)
