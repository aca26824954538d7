from __future__ import annotations

from pathlib import Path

import pytest

from tests.logs.cases import Case, judged_cases, unpack


@pytest.fixture(scope="session")
def case_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack(tmp_path_factory.mktemp("cases"))


@pytest.fixture(scope="session")
def cases(case_folder: Path) -> list[Case]:
    return judged_cases(case_folder)
