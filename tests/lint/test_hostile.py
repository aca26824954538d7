"""Files that broke on their way: cut, doubled, mixed with others. One clear line, or a result; never more."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from btdiag.config.values import UsageError
from btdiag.lint import formats
from tests.lint.helpers import judged

CASES = [json.loads(line) for line in Path(__file__).with_name("cases.jsonl").read_text("utf-8").splitlines()]
SECRET = "sk-live-0123456789abcdefghijklmnop"
PARTS = (
    "{{ .Values.x }}", "${var.x}", "<<: *a", "&a ", "*a", "!!python/object:os.system ", "---\n", "\t", "\r", "\u2028",
    "{", "}", "[", "]", ":", "- ", '"', "'", "|\n", ">-\n", "0x", "1e999", "-.inf", "~", "null", "=", "#", "<<EOT\n",
    "for x in y : x", "? ", "%YAML 1.2\n", "\ufeff", "\x00", "\x1b[31m", "9" * 400, "a" * 3000, "é", "\U0001f600",
)  # fmt: skip


def _mutated(text: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(text) + 1), chance.randint(0, 12)
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:at] + text[at + length :]
        elif kind == 1:
            text = text[:at] + chance.choice(PARTS) + text[at:]
        elif kind == 2:
            text = text[:at] + text[max(0, at - length * 9) : at] + text[at:]
        else:
            lines = text.split("\n")
            chance.shuffle(lines)
            text = "\n".join(lines)
    return text


def _secretive(name: str, text: str) -> str:
    """The file with a secret where its kind has secrets."""
    if name.endswith(".tf"):
        return text.replace("var.brainstore_license_key", f'"{SECRET}"')
    if name.endswith("values.yaml"):
        return f"{text}secrets:\n  licenseKey: {SECRET}\n"
    return f"{text}BRAINTRUST_API_KEY={SECRET}\n" if name.endswith(".env") else text


@pytest.mark.parametrize("seed", range(10))
def test_mutated_files_give_one_line_or_a_result(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        case = chance.choice(CASES)
        files = {name: _mutated(_secretive(name, text), chance) for name, text in case["files"].items()}
        modules = dict([case["module"]]) if case["module"] else {}
        started = time.process_time()
        try:
            shown = formats.render(judged(files, chart=case["chart"], modules=modules), "text")
        except UsageError as error:
            shown = str(error)
            assert "\n" not in shown
            assert any(name in shown for name in files)
        assert SECRET[8:] not in shown
        assert "\x1b" not in shown
        assert time.process_time() - started < 10, files
