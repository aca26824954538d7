"""What is one fault makes one check fail, on servers that are nobody's lab."""

from __future__ import annotations

import asyncio

from tests.support.cli import Done, run_json
from tests.support.serving import saying, serving

WELCOME = (
    b"<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>"
)
PAGE = b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(
    WELCOME
)


def test_a_welcome_page_is_no_matter_of_cors() -> None:
    async def go() -> Done:
        async with serving(saying(PAGE + WELCOME)) as port:
            return await asyncio.to_thread(run_json, f"http://127.0.0.1:{port}", "--quick", "--browser", "none")

    report = asyncio.run(go()).report
    assert [one["id"] for one in report["checks"] if one["verdict"] == "fail"] == ["readiness.root-answers"]
    (cors,) = (one for one in report["checks"] if one["id"] == "cors.web-app-may-call")
    assert (cors["verdict"], cors["because"]) == ("skip", "readiness.root-answers")
