"""Everything that reads bytes of a stranger, each as a function of bytes that must raise nothing: for hypothesis in all
runs of the tests, and for a coverage-guided fuzzer (fuzz.py)."""

from __future__ import annotations

import asyncio
import gzip
import io
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
from btdiag.logs.account import FileAccount
from btdiag.logs.claims import ToldTimeouts
from btdiag.logs.clf import of_format
from btdiag.logs.command import judged
from btdiag.logs.formats import render as render_result
from btdiag.logs.quoting import Quoter
from btdiag.logs.reading import log_lines, unpacking
from btdiag.net import http1, http2, nameserver, tunnel
from btdiag.net.answer import Answer
from btdiag.net.certificates import certificate
from btdiag.net.failures import EXPECTED, Broken, failure_of, legible
from btdiag.net.limits import Limits
from btdiag.net.streams import Stream
from btdiag.report.documents import ReportFileError
from btdiag.report.json_ import load
from btdiag.report.redact import redact_text

LOG_LINES = tuple(
    line.encode()
    for line in (
        '1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "POST /btql HTTP/1.1" 502 157 "-" "x" msec=1795682500.333 rt=0.001'
        ' uct=0.000 uht=- urt=0.001, 0.002 ua="10.0.0.1:8000, 10.0.0.1:8000" us="502, 502" ubr="0" c=36 compl=OK',
        "2026/11/26 08:41:42 [error] 1#1: *36 upstream prematurely closed connection while reading response header from"
        ' upstream, client: 1.2.3.4, server: x, request: "POST /btql HTTP/1.1", upstream: "http://10.0.0.1:8000/btql"',
        "Nov 26 08:46:17 lb01 haproxy[698]: 1.2.3.4:49682 [26/Nov/2026:08:46:17.709] in be/s1 0/0/0/-1/12 502 437 - -"
        ' SH-- 1/1/0/0/0 0/0 "GET /a HTTP/1.1"',
        '[2026-11-26T08:48:25.243Z] "POST /btql HTTP/1.1" 503 UC upstream_reset_before_response_started - "-" 10 95 3 -'
        ' "-" "x" "id" "api" "10.0.0.1:80" api 10.0.0.9:41234 10.0.0.9:80 1.2.3.4:5 - -',
        "https 2026-11-25T07:08:11.063160Z app/api/50dc 1.2.3.4:48876 10.0.0.1:80 0.001 0.000 -1 502 - 592 324"
        ' "POST https://api:443/logs3 HTTP/1.1" "x" ECDHE TLSv1.2 arn:aws:tg "Root=1-6b" "api" "arn" 0'
        ' 2026-11-25T07:08:11.061829Z "forward" "-" "-" "-" "-" "-" "-" TID_9',
        '{"httpRequest": {"latency": "0.02s", "requestMethod": "POST", "status": 502}, "timestamp":'
        ' "2026-11-25T06:07:03.341812Z", "jsonPayload": {"statusDetails":'
        ' "backend_connection_closed_before_data_sent_to_client"}}',
    )
)
"""One of each of several formats, each of a lost request."""

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


def _logs(text: bytes) -> None:
    accounts = []
    for name in ("access.log", "error.log"):
        account = FileAccount(name)
        account.read(log_lines(unpacking(io.BytesIO(text))))
        accounts.append(account)
    render_result(judged(accounts, ToldTimeouts(), Quoter(anonymize=True), all_lines=True), "json")


def load_balancer_log(data: bytes) -> None:
    """A load balancer's log, alone and beside another, and what is made of it."""
    _logs(data)


def log_of_known_formats(data: bytes) -> None:
    """Good lines of several formats, with something put into one of them."""
    at = data[0] if data else 0
    line = LOG_LINES[at % len(LOG_LINES)]
    place = (data[1] * len(line)) >> 8 if len(data) > 1 else 0
    _logs(b"\n".join((*LOG_LINES, line[:place] + data[2:] + line[place:], line[:place] + data[2:])))


def packed_log(data: bytes) -> None:
    """A packed log that is damaged."""
    packed = gzip.compress(b"\n".join(LOG_LINES), 1)
    at = (data[0] * len(packed)) >> 8 if data else 0
    _logs(packed[:at])
    _logs(packed[:at] + data + packed[at + len(data) :])


def log_format(data: bytes) -> None:
    """A format string of a user."""
    with suppress(UsageError):
        of_format(data.decode("utf-8", "replace")).parse(LOG_LINES[0])


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
        load_balancer_log,
        log_of_known_formats,
        packed_log,
        log_format,
    )
}
