"""Asks Chromium for the address space of each address given: served on this machine, in a network namespace of its own.

`python -m tests.support.chromium_spaces ADDRESS...` prints a JSON object, address to space.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys

from playwright.async_api import async_playwright

from btdiag.families.lna.facts import CalledHost, LaunchKind, Situation
from btdiag.families.lna.plan import QUIET, WARN_ONLY
from btdiag.families.lna.probe.chromium.page import opened_frame, try_requests

ANSWER = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PAGE = "http://plain.example"  # neither https, for mixed content, nor on a local network


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        await writer.drain()
    writer.close()


async def spaces(addresses: list[str]) -> dict[str, str]:
    server = await asyncio.start_server(answer, addresses, 8080)
    switches = [*QUIET, WARN_ONLY, "--no-proxy-server"]
    found = {}
    async with server, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        context = await browser.new_context()
        async with opened_frame(context, PAGE, Situation.UNGUARDED, "") as frame:
            for address in addresses:
                host = f"[{address}]" if ":" in address else address
                trial = await try_requests(
                    frame,
                    Situation.UNGUARDED,
                    CalledHost(what="address", url=f"http://{host}:8080/"),
                    (LaunchKind.SIMPLE,),
                    limit=3,
                    screenshot=False,
                )
                found[address] = trial.first.space or trial.first.what
        await browser.close()
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(spaces(sys.argv[1:]))))
