"""Stored reports that somebody damaged or made up: each is refused in one line or shown, in every format."""

from __future__ import annotations

import io
import json
import os
import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.config import UsageError
from btdiag.config.options import FORMAT_NAMES
from btdiag.core.finding import Evidence, Json
from btdiag.engine import stored
from btdiag.report import evidence_lines, json_, parse_json
from btdiag.report.documents import Context, ReportFileError
from btdiag.report.evidence_views import view
from tests.support.hostile import SEQUENCES, UNSAFE, WHITE

EXAMPLES = Path(__file__).parents[2] / "reports/examples"
KINDS = (
    "exchange",
    "table",
    "text",
    "curl",
    "timeline",
    "matrix",
    "image",
    "facts",
    "certificate",
    "crash",
    "unheard-of",
)
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 1e308, -1e308, 10**400, "", "x", "9" * 5000, SEQUENCES, "\ud800", "2026-13-45"),
    *("fail", "pass", "skip", [], {}, [[]], [None], [1], {"a": 1}, {"": None}, [["a", "b"]], {"\ud800\x1b": "\x00"}),
    *({"rows": [[1]], "headers": [1]}, {"points": [{"age_s": 1e308, "outcome": "²", "volley": "race"}]}),
    {"points": [{"age_s": age, "outcome": "ok", "volley": "race"} for age in (-1e308, 1e308)], "k_s": 1e308},
]


def example(name: str) -> dict[str, Any]:
    """A report that a run wrote, with one check for each kind of evidence and a few measurements, to be quick."""
    report: dict[str, Any] = json.loads((EXAMPLES / name / "report.json").read_text())
    kinds: dict[str, Any] = {}
    for check in report["checks"]:
        for item in check["evidence"]:
            kinds.setdefault(item["kind"], check)
    chosen = {check["id"]: check for check in (*report["checks"][:3], *kinds.values())}
    report["checks"] = list(chosen.values())
    report["measurements"] = dict(list(report["measurements"].items())[:4])
    return report


REPORTS = [example(name) for name in ("keepalive-race", "cors-stale-headers", "root-502")]


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every member of a document."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [(*above, key) for key, _ in members]
    return found + [
        place
        for key in [place[-1] for place in found]
        for place in places(value[key], (*above, key))
    ]  # fmt: skip


def damaged(report: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The report with one to three members deleted, replaced, renamed or added."""
    changed = deepcopy(report)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        every = places(changed)
        if not every:
            break
        *way, last = chance.choice([place for place in every if ("fact" in place) == (chance.random() < 0.1)] or every)
        holder: Any = changed
        for key in way:
            holder = holder[key]
        match chance.randrange(6):
            case 0 | 1:
                del holder[last]
            case 2 | 3 | 4:
                holder[last] = chance.choice(ODD)
            case _ if isinstance(holder, dict):
                holder[chance.choice(["zz", "\ud800", "\x1b[31m"])] = holder.pop(last)
            case _:
                holder.append(chance.choice(ODD))
    return changed


def commands(path: Path, other: Path, zip_path: Path) -> list[Callable[[io.StringIO], object]]:
    """Everything that can be done with a stored report."""
    context = Context(verbose=2)
    shown = [lambda out, name=name: stored.print_report(path, name, context, out) for name in FORMAT_NAMES]
    merged = [
        lambda out, name=name: stored.print_merged([other, path], name, context, out)
        for name in ("text", "html", "json")
    ]
    compared = [
        lambda out, pair=pair, name=name: stored.print_comparison(str(pair[0]), str(pair[1]), other, name, 80, out)
        for pair in ((other, path), (path, other))
        for name in ("text", "json", "markdown")
    ]
    packed = [
        lambda out, anonymize=anonymize: stored.write_bundle(
            path, zip_path, anonymize=anonymize, sure=True, stdout=out, stderr=out
        )
        for anonymize in (False, True)
    ]
    return [*shown, *merged, *compared, *packed]


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_report_is_refused_or_shown(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    chance = random.Random(seed)
    report = chance.choice(REPORTS)
    folder = tmp_path_factory.mktemp("damaged")
    path, other = folder / "report.json", folder / "other.json"
    path.write_text(json.dumps(damaged(report, chance)))
    other.write_text(json.dumps(report))
    for act in commands(path, other, folder / "ticket.zip"):
        (folder / "ticket.zip").unlink(missing_ok=True)
        out = io.StringIO()
        refused = ""
        try:
            act(out)
        except UsageError as error:
            refused = str(error)
        assert len(refused) < 1000
        assert not set(out.getvalue()) & (UNSAFE - WHITE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["rows", "headers", "columns", "cells", "points", "age_s", "outcome", "volley", "k_s", "state"]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
MATRIX = {"rows": ["a"], "columns": ["GET", "POST"], "cells": [[{"state": "pass", "text": "x"}, {"state": "fail"}]]}


@settings(max_examples=300)
@given(st.sampled_from(KINDS), JSON)
def test_evidence_of_any_kind_and_shape_is_shown(kind: str, data: Json) -> None:
    item = Evidence(kind=kind, title="t", data=data)
    assert isinstance(evidence_lines.evidence_lines(item), list)
    assert view(item).template


@settings(max_examples=200)
@given(st.sampled_from(["exchange", "timeline", "matrix", "table"]), st.integers(0, 2**32))
def test_evidence_with_members_missing_or_odd_is_shown(kind: str, seed: int) -> None:
    chance = random.Random(seed)
    every = [item for report in REPORTS for check in report["checks"] for item in check["evidence"]]
    known = [item["data"] for item in every if item["kind"] == kind] or [MATRIX]
    data = damaged({"data": chance.choice(known)}, chance).get("data")
    item = Evidence(kind=kind, title="t", data=data)
    assert isinstance(evidence_lines.evidence_lines(item), list)
    assert view(item).template


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "levels deep"),
        ("[" * 70 + "]" * 70, "levels deep"),
        ("[NaN]", "NaN is no JSON number"),
        ("[-Infinity]", "-Infinity is no JSON number"),
        ("[1e999]", "too large"),
        (f"[{'1' * 10_000}]", "has 10000 digits"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' stands twice"),
        ("[" + "1," * (parse_json.MOST_VALUES + 1) + "1]", "values"),
    ],
)
def test_json_beyond_the_bounds_is_refused(text: str, words: str) -> None:
    with pytest.raises(ReportFileError, match=words):
        parse_json.parsed_json(text)


def test_json_within_the_bounds_is_taken() -> None:
    deep = "[" * parse_json.DEEPEST + "]" * parse_json.DEEPEST
    assert parse_json.parsed_json(deep)
    assert parse_json.parsed_json(f"[{'1' * 900}, 1.5e300, {{}}]") == [int("1" * 900), 1.5e300, {}]


def test_what_a_run_wrote_is_read_again() -> None:
    for path in EXAMPLES.glob("*/report.json"):
        text = path.read_text()
        assert json.loads(json_.render(json_.load(text))) == json.loads(text)


def told(path: Path) -> str:
    with pytest.raises(UsageError) as caught:
        stored.read_document(path)
    return str(caught.value)


def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "report.json").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    assert "only plain files are read" in told(tmp_path / "fifo")
    assert "only plain files are read" in told(tmp_path / "link")
    assert "only plain files are read" in told(Path("/dev/zero"))
    assert "symbolic links" in told(tmp_path / "loop")
    assert "is a folder" in told(tmp_path)
    assert "too long" in told(Path("x" * 5000))


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "report.json").open("wb") as file:
        file.truncate(100 << 20)
    assert "is larger than" in told(tmp_path)
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert "is not UTF-8 text" in told(tmp_path / "binary")


def test_a_bundle_holds_the_report_and_nothing_else_of_the_folder(tmp_path: Path) -> None:
    import zipfile

    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(REPORTS[2]))
    (folder / "secret").symlink_to("/etc/passwd")
    (folder / "bomb.zip").write_bytes(b"PK" * 1000)
    (folder / "..\x1b[31m").mkdir()
    path = tmp_path / "ticket.zip"
    stored.write_bundle(folder, path, anonymize=False, sure=True, stdout=io.StringIO(), stderr=io.StringIO())
    assert sorted(zipfile.ZipFile(path).namelist()) == [
        *(
            "environment.json",
            "exchanges.json",
            "manifest.json",
            "report.html",
            "report.json",
            "report.md",
            "report.txt",
        ),
    ]
