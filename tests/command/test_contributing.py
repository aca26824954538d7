"""The example in CONTRIBUTING.md works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.cli import run_json

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def test_the_example_check_runs(tmp_path: Path) -> None:
    found = re.search(r"<!-- example: (\S+) -->\n```python\n(.*?)```", CONTRIBUTING.read_text("utf-8"), re.DOTALL)
    assert found is not None
    name, code = found.groups()
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    (tmp_path / name).write_text(code)
    done = run_json("lab:healthy", "--checks", str(tmp_path), "--only", "headers")
    (check,) = done.report["checks"]
    assert (check["id"], check["verdict"]) == ("headers.server-is-not-named", "fail")
    assert check["summary"] == "the Server header names the software"
