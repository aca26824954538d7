"""Everything that reads bytes of a stranger, each as a function of bytes that must raise nothing: for hypothesis in all
runs of the tests, and for a coverage-guided fuzzer (fuzz.py)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import dns.message

from btdiag.config.profile import load_profile
from btdiag.config.values import UsageError, duration
from btdiag.core.answers import in_words, state_of
from btdiag.core.evidence import to_json
from btdiag.core.exchange import Exchange, Timing
from btdiag.core.handshake import Connection
from btdiag.core.sender import json_body, page, redirect, request_ids, retry_after, sender
from btdiag.core.target import Proxy
from btdiag.core.urls import exempting_entry, url_parts
from btdiag.families.audit.judge import decode_resources
from btdiag.families.connection.judge.clock import reading_of
from btdiag.families.cors.fetch import PageRequest, cors_preflight_fetch
from btdiag.families.sdk.facts import organisations
from btdiag.net import http1, http2, nameserver, tunnel
from btdiag.net.answer import Answer
from btdiag.net.certificates import certificate
from btdiag.net.failures import EXPECTED, Broken, failure_of, legible
from btdiag.net.limits import Limits
from btdiag.net.streams import Stream
from btdiag.report.documents import ReportFileError
from btdiag.report.json_ import load
from btdiag.report.redact import redact_text

SMALL = Limits(header=4096, body=4096, body_wire=16384, body_decoded=16384, total=1.0)


class _Sink:
    """A writer that takes everything, and keeps nothing of it; its own transport."""

    @property
    def transport(self) -> _Sink:
        """Itself."""
        return self

    def write(self, data: bytes) -> None:
        """Nothing."""

    async def drain(self) -> None:
        """Everything has been taken."""

    def get_write_buffer_size(self) -> int:
        """Nothing is left."""
        return 0


def _conversation(converse: Callable[..., object], data: bytes) -> Answer:
    async def go() -> Answer:
        reader = asyncio.StreamReader(limit=65536)
        reader.feed_data(data)
        reader.feed_eof()
        writer = cast(asyncio.StreamWriter, _Sink())
        stream = Stream(
            reader=reader, writer=writer, ssl_object=None, local_port=1, peer_address="127.0.0.1", timing=Timing()
        )
        answer = Answer(limits=SMALL)
        outgoing = http1.Outgoing(method="GET", target="/", authority="h", headers=(("A", "b"),), body=b"")
        try:
            await converse(stream, outgoing, answer)  # type: ignore[misc]
        except EXPECTED as error:
            answer.failure = failure_of(error, answer.phase, 1.0)
        return answer

    return asyncio.run(go())


def _read(answer: Answer) -> None:
    """What a report makes of an answer."""
    content = b""
    with suppress(Broken):
        content, _ = answer.content()
    seen = Exchange(
        method="GET",
        url="http://h/",
        label="127.0.0.1",
        started_at="2026-01-01T00:00:00.000Z",
        request_headers=(),
        status=answer.status,
        reason=answer.reason,
        headers=answer.headers,
        body=legible(content),
        failure=answer.failure,
    )
    in_words(seen), state_of(seen), sender(seen), json_body(seen), page(seen), redirect(seen), retry_after(seen)
    request_ids(seen), organisations(seen.body)
    json.dumps(to_json(seen))
    reading_of(_connection(seen))
    cors_preflight_fetch(PageRequest(origin="https://o"), seen.status or 0, seen.headers)


def _connection(seen: Exchange) -> Connection:
    from datetime import UTC, datetime

    return Connection(
        label="a", port=1, tls=False, started_at=datetime.now(UTC), timing=Timing(), greeting=seen, proxied=False
    )


def http1_answer(data: bytes) -> None:
    """An answer over HTTP/1, and what is made of it."""
    _read(_conversation(http1.converse, data))


def http1_headers(data: bytes) -> None:
    """An answer that is sound but for its headers."""
    _read(_conversation(http1.converse, b"HTTP/1.1 200 OK\r\n" + data.replace(b"\n\n", b"") + b"\r\n\r\nHello"))


def http2_answer(data: bytes) -> None:
    """Frames of an HTTP/2 server."""
    _read(_conversation(http2.converse, data))


def proxy_answer(data: bytes) -> None:
    """What a proxy says to CONNECT."""
    pieces = [data[at : at + 50] for at in range(0, len(data), 50)]

    async def send(written: bytes) -> None:
        return None

    async def receive() -> bytes:
        return pieces.pop(0) if pieces else b""

    async def go() -> None:
        line = tunnel.ProxyLine(send=send, receive=receive)
        answer, beyond = await tunnel.ask_for_tunnel(line, Proxy(url="http://p", source="t"), "h", 443, "t")
        tunnel.require_open(answer, beyond)

    with suppress(*EXPECTED):
        asyncio.run(go())


def dns_message(data: bytes) -> None:
    """A reply of a name server."""
    try:
        reply = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except nameserver._BROKEN:
        return
    json.dumps(to_json(nameserver._read(reply, "A", "udp")))


def der(data: bytes) -> None:
    """A certificate."""
    certificate(data)


def report_file(data: bytes) -> None:
    """A stored report."""
    with suppress(ReportFileError):
        load(data.decode("utf-8", "replace"))


def audit_resources(data: bytes) -> None:
    """The audit header's payload."""
    json.dumps(to_json(decode_resources(data.decode("latin-1"))))


def words_of_a_user(data: bytes) -> None:
    """URLs, durations and NO_PROXY lists."""
    text = data.decode("utf-8", "replace")
    for parse in (url_parts, duration):
        with suppress(ValueError):
            parse(text)
    exempting_entry(text, "h.example", 443)


def text_with_secrets(data: bytes) -> None:
    """Redaction."""
    text = data.decode("utf-8", "surrogateescape")
    assert redact_text(redact_text(text)) == redact_text(text)


def profile(data: bytes) -> None:
    """A settings file."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        (Path(folder) / "btdiag.toml").write_bytes(data)
        with suppress(UsageError):
            load_profile(None, Path(folder))


PARSERS: dict[str, Callable[[bytes], None]] = {
    parser.__name__: parser
    for parser in (
        http1_answer,
        http1_headers,
        http2_answer,
        proxy_answer,
        dns_message,
        der,
        report_file,
        audit_resources,
        words_of_a_user,
        text_with_secrets,
        profile,
    )
}
