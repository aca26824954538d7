"""Real Caddy that compresses: a stream of events is held back until its buffer is full, but for what the remedy leaves
out."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.families.gateway.test_real_settings import Place, as_it_comes, running
from tests.support.cli import run_json
from tests.support.serving import serving
from tests.support.tools import need

pytestmark = pytest.mark.real

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%s\r\n\r\n"
EVENT = 600  # bytes: Caddy passes on what is shorter than 512 as it is
HELD = "encode gzip"


async def api(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers everything; at /sse an event every half second, which does not compress well."""
    noise = random.Random(1)
    while request := await reader.readuntil(b"\r\n\r\n"):
        if not request.startswith(b"GET /sse"):
            writer.write(HEAD % (b"application/json", b"Content-Length: 2") + b"{}")
            continue
        writer.write(HEAD % (b"text/event-stream", b"Transfer-Encoding: chunked"))
        while not writer.is_closing():
            event = b"data: %s\n\n" % noise.randbytes(EVENT // 2).hex().encode()
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(0.5)


async def judged(folder: Path, more: str) -> dict[str, Any]:
    async with serving(api) as backend:
        place = Place.at(folder, backend)
        with running("caddy", as_it_comes("caddy", place, more=more), place):
            done = await asyncio.to_thread(
                run_json,
                place.url,
                *place.options,
                *("--browser", "none", "--quick", "--only", "gateway.streams-unbuffered"),
            )
    (check,) = (one for one in done.report["checks"] if one["id"] == "gateway.streams-unbuffered")
    found: dict[str, Any] = check
    return found


def test_the_remedy_for_caddy_lets_the_stream_flow(tmp_path: Path) -> None:
    need("caddy")
    held = asyncio.run(judged(tmp_path, HELD))
    assert held["verdict"] == "fail"
    assert "with Accept-Encoding: gzip" in held["summary"]
    first = held["remedy"]["snippets"][0]
    assert first["for"] == "Caddy"
    assert asyncio.run(judged(tmp_path, first["code"]))["verdict"] == "pass"
