"""Large files on several processors: the same as read by one."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from btdiag.logs import parallel, reading
from btdiag.logs.account import FileAccount
from tests.logs.cases import read

SAME = ("lines", "requests", "good", "malformed", "malformed_lines", "methods", "good_by_upstream", "first", "last",
        "formats", "product", "format")  # fmt: skip


def enlarged(folder: Path, source: Path, end: bytes = b"\n") -> Path:
    """A log three times over, with cut lines, one line of more than a MiB, and no line break at its end."""
    chance = random.Random(3)
    lines = source.read_bytes().splitlines() * 3
    for _ in range(9):
        lines[chance.randrange(len(lines))] = b"cut \xff off"
    lines[len(lines) // 2] = b"x" * (3 << 20)
    path = folder / "large.log"
    path.write_bytes(end.join(lines))
    return path


@pytest.mark.parametrize(
    "name", ["s031/access-rich.log", "ss01/alb-synthetic.log", "ss03/cloudfront-synthetic.tsv", "s022/envoy-istio.log"]
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_parts_add_up_to_the_whole(case_folder: Path, tmp_path: Path, name: str, end: bytes) -> None:
    path = enlarged(tmp_path, case_folder / name, end)
    whole = read(path)
    edges = reading.edges(str(path), 3)
    merged: FileAccount | None = None
    for begin, stop in pairwise(edges):
        part = parallel.part(str(path), "", begin, stop)
        if merged is None:
            merged = part
        else:
            merged.absorb(part)
    assert merged is not None
    for each in SAME:
        assert getattr(merged, each) == getattr(whole, each), each
    assert [event.line for event in merged.failures] == [event.line for event in whole.failures]


def test_processes_give_what_one_gives(case_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = enlarged(tmp_path, case_folder / "ss01" / "alb-synthetic.log")
    assert parallel.parts_of_file(str(path)) == 1
    monkeypatch.setattr(parallel, "LARGE", 1000)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert parallel.parts_of_file(str(path)) == 2
    assert parallel.parts_of_file("-") == parallel.parts_of_file(str(tmp_path / "missing")) == 1
    found, whole = parallel.read_log(str(path), "10.0.0.1", 2), read(path)
    assert (found.node, found.lines, found.requests) == ("10.0.0.1", whole.lines, whole.requests)
    assert [event.raw for event in found.failures] == [event.raw for event in whole.failures]


def test_long_records_are_read_by_one(case_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "LARGE", 1000)
    assert parallel.parts_of_file(str(case_folder / "s056" / "varnishlog.txt")) == 1
