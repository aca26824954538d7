"""Every parser against lines that are cut, mixed, wrapped or hostile: no crash, no hang, nothing without end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btdiag.logs import judging, reading
from btdiag.logs.account import FileAccount
from btdiag.logs.event import KINDS, UNRELATED
from btdiag.logs.recognition import LONGEST, Reader

FIRST = 40


def samples(folder: Path) -> Iterator[tuple[str, list[bytes]]]:
    """The first records of one file of each format."""
    seen = set()
    for line in (folder / "truth.jsonl").read_text("utf-8").splitlines():
        truth = json.loads(line)
        if truth["format"] not in seen:
            seen.add(truth["format"])
            with reading.opened_log(str(folder / truth["file"])) as file:
                yield truth["format"], [record for _, record in islice(reading.log_lines(file), FIRST)]


def mutated(record: bytes, chance: random.Random) -> bytes:
    """A record with something of the kind that disks, pipes and attackers do to it."""
    position = chance.randrange(len(record) + 1)
    kind = chance.randrange(7)
    if kind == 0:
        return record[:position]
    if kind == 1:
        return record[:position] + bytes(chance.randrange(256) for _ in range(3)) + record[position:]
    if kind == 2:
        return record.replace(b"0", b"99999999999999999999", chance.randrange(1, 4))
    if kind == 3:
        return record.replace(b'"', b"", 1)
    if kind == 4:
        return record[:position] + record[position:] * 3
    if kind == 5:
        return record.replace(b":", b"\x00", 2).replace(b"-", b"NaN", 2)
    return record.replace(b"2026", b"0000", 1).replace(b" ", b" " * 50, 2)


def test_mutated_logs_neither_crash_nor_invent_kinds(case_folder: Path) -> None:
    chance = random.Random(7)
    for name, records in samples(case_folder):
        account = FileAccount(name)
        spoiled = [
            mutated(chance.choice(records), chance) if chance.random() < 0.5 else record for record in records * 6
        ]
        account.read(enumerate(spoiled, 1))
        judged = judging.judge_log(account)
        assert all(set(event.fits) <= set(KINDS) for event in judged.account.failures)
        assert account.lines >= len(spoiled)


def test_all_formats_in_one_stream_are_read(case_folder: Path) -> None:
    mixed = [records for _, records in samples(case_folder)]
    account = FileAccount("mixed")
    account.read((number, records[number % len(records)]) for number in range(FIRST) for records in mixed)
    assert account.malformed == 0
    assert len(account.formats) >= 20


@given(st.binary(max_size=400))
def test_any_bytes_are_no_line_or_one(line: bytes) -> None:
    event = Reader().parse(line)
    assert event is None or event is UNRELATED or event.end >= 0 or event.end < 0


@given(st.dictionaries(st.sampled_from(
    ["status", "ts", "Tc", "Ta", "request", "resp_headers", "level", "msg", "logger", "DownstreamStatus", "StartUTC",
     "response_flags", "response_code", "start_time", "httpRequest", "jsonPayload", "properties", "category",
     "EdgeResponseStatus", "EdgeStartTimestamp", "routeKey", "integrationStatus", "message", "time", "log", "stream",
     "upstream_addr", "msec", "request_time"]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
        ["FrontDoorAccessLog", "ApplicationGatewayAccess", "SH--", "502", "-", "2026-11-26T08:00:00Z"]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=4)))  # fmt: skip
def test_any_json_under_known_keys_is_no_crash(record: dict[str, object]) -> None:
    Reader().parse(json.dumps(record).encode())


HOSTILE = [
    b'1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "GET / HTTP/1.1" 200 1 "-" "-"' + b" rt=1 uct=1 uht=" * 5000 + b'"',
    b"1 - " + b"a " * 50_000,
    b'1 - - [26/Nov/2026:08:41:40 +0000] "' + b"\\" * 100_000,
    b"haproxy[1]: 1:1 [26/Nov/2026:08:46:16.130] a b/c 0/0/0/0/0 200 1 - - ---- 1/1/1/1/1 0/0 " + b"{a} " * 20_000,
    b"{" * 100_000,
    b'{"a":' * 50_000,
    b'{"log":"' + b'{\\"log\\":\\"' * 50 + b'","stream":"stdout"}',
    b"[" + b"x" * (LONGEST + 10),
    b"https " + b"- " * 100_000,
    b"\t" * 200_000,
    b"*   << Request  >> 1\n" + b"-   Timestamp      Start: 1e999 0 0\n" * 2000,
    b"[Thu Nov 26 08:56:59.687629 2026] [a:b] [pid 1] " + b"[client " * 50_000,
    b"2026/11/26 08:41:42 [error] 1#1: *1 upstream timed out, " + b", upstream: " * 50_000,
    b"pod | " * 30_000,
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_lines_end(line: bytes) -> None:
    reader = Reader()
    for _ in range(3):
        reader.parse(line)


COMBINED = b'1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "POST /btql HTTP/1.1" 502 157 "-" "x"'


@pytest.mark.parametrize(
    "wrapped",
    [
        b"2026-11-26T08:41:40.123456789Z stdout F " + COMBINED,
        b"[pod/web-1/nginx] " + COMBINED,
        b"web-1  | " + COMBINED,
        b"Nov 26 08:41:40 host nginx[12]: " + COMBINED,
        json.dumps({"log": COMBINED.decode() + "\n", "stream": "stdout", "time": "2026-11-26T08:41:40Z"}).encode(),
    ],
)
def test_what_container_runtimes_put_around_a_line_is_taken_off(wrapped: bytes) -> None:
    event = Reader().parse(wrapped)
    assert event is not None
    assert (event.status, event.path) == (502, b"/btql")
