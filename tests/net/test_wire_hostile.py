"""Whatever a server does, an exchange ends in time, within its limits, and says what was seen."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btdiag.core.exchange import Phase, Trouble
from btdiag.net.failures import legible
from btdiag.net.limits import Limits
from tests.support.serving import Handler, ask, forever, resetting, saying, silent

QUICK = Limits(total=0.3)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("handler", "phase", "trouble", "detail"),
    [
        pytest.param(silent, Phase.HEADERS, Trouble.TIMEOUT, "not complete within 0.3 s", id="silent"),
        pytest.param(
            forever(OK, b"X-A: " + b"a" * 999 + b"\r\n"), Phase.HEADERS, Trouble.TOO_LARGE, "", id="endless header"
        ),
        pytest.param(
            forever(OK + b"X-A: ", b"a" * 9999), Phase.HEADERS, Trouble.TOO_LARGE, "", id="endless header line"
        ),
        pytest.param(
            forever(OK + b"\r\n", b"a" * 9999), Phase.BODY, Trouble.TOO_LARGE, "1048576 bytes", id="endless body"
        ),
        pytest.param(
            forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"3e8\r\n" + b"a" * 1000 + b"\r\n"),
            Phase.BODY,
            Trouble.TOO_LARGE,
            "",
            id="endless chunks",
        ),
        pytest.param(forever(OK, b"X-A: a\r\n", 0.05), Phase.HEADERS, Trouble.TIMEOUT, "", id="dripped header"),
        pytest.param(forever(OK + b"\r\n", b"a", 0.05), Phase.BODY, Trouble.TIMEOUT, "", id="dripped body"),
        pytest.param(
            forever(b"", b"HTTP/1.1 103 Early\r\n\r\n"), Phase.HEADERS, Trouble.TOO_LARGE, "1xx", id="endless 1xx"
        ),
        pytest.param(saying(b"\x00\x8f\xff\x1b[31m" * 99), Phase.HEADERS, Trouble.PROTOCOL, "", id="binary junk"),
        pytest.param(saying(b"\x15\x03\x01\x00\x02\x02\x46"), Phase.HEADERS, Trouble.PROTOCOL, "TLS", id="TLS alert"),
        pytest.param(resetting, Phase.HEADERS, Trouble.RESET, "", id="reset"),
        pytest.param(saying(), Phase.HEADERS, Trouble.CLOSED, "without an answer", id="FIN"),
        pytest.param(saying(OK + b"X-"), Phase.HEADERS, Trouble.CLOSED, "after 19 bytes", id="half header"),
        pytest.param(saying(OK + b"Content-Length: 9\r\n\r\nabc"), Phase.BODY, Trouble.CLOSED, "", id="short body"),
        pytest.param(
            saying(OK + b"Content-Length: x\r\n\r\nabc"), Phase.HEADERS, Trouble.PROTOCOL, "", id="bad length"
        ),
        pytest.param(
            saying(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc"),
            Phase.BODY,
            Trouble.PROTOCOL,
            "",
            id="junk chunks",
        ),
        pytest.param(
            saying(OK + b"Content-Encoding: gzip\r\n\r\nplain text"),
            Phase.BODY,
            Trouble.PROTOCOL,
            "unpacked",
            id="no gzip",
        ),
        pytest.param(
            saying(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"\0" * 2**24)),
            Phase.BODY,
            Trouble.TOO_LARGE,
            "unpacks to more than",
            id="gzip bomb",
        ),
    ],
)
def test_failure_is_named(handler: Handler, phase: Phase, trouble: Trouble, detail: str) -> None:
    limits = QUICK if trouble is Trouble.TIMEOUT else Limits()  # a megabyte takes a busy machine its time
    seen = ask(handler, limits=limits)
    assert seen.failure is not None
    assert (seen.failure.phase, seen.failure.trouble) == (phase, trouble)
    assert detail in seen.failure.detail
    assert (seen.status == 200) is (phase is Phase.BODY)
    assert seen.timing.total_s < 2 * limits.total + 1


def test_memory_is_bounded() -> None:
    bomb = gzip.compress(b"\0" * 2**26)
    tracemalloc.start()
    ask(forever(OK + b"\r\n", b"a" * 65536))
    ask(saying(OK + b"Content-Encoding: gzip\r\n\r\n" + bomb))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**25


def test_escape_sequences_never_arrive_raw() -> None:
    seen = ask(saying(b"HTTP/1.1 200 \x1b[2J\r\nX-A: \x1b]0;x\x07\xff\r\nContent-Length: 6\r\n\r\n\x1b[31m\xfe"))
    assert seen.reason == "\\x1b[2J"
    assert seen.header("x-a") == "\\x1b]0;x\\x07\\xff"
    assert seen.body == "\\x1b[31m\\xfe"


def test_terminal_escapes_in_an_error_detail() -> None:
    seen = ask(saying(b"\x1b[31mHTTP nonsense\r\n\r\n"))
    assert seen.failure is not None
    assert "\x1b" not in seen.failure.detail


@given(st.binary(max_size=200))
def test_legible_text_has_no_control_characters(content: bytes) -> None:
    shown = legible(content)
    assert all(character in "\t\n\r" or character.isprintable() or ord(character) > 0x9F for character in shown)
    assert legible(shown) == shown


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_no_answer_makes_an_exchange_raise(answer: bytes) -> None:
    seen = ask(saying(answer), limits=Limits(total=0.5))
    assert (seen.status is not None) or (seen.failure is not None)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, lambda data: zlib.compress(data)[2:-4]])
def test_unasked_compression_is_undone(pack: object) -> None:
    assert callable(pack)
    coding = b"gzip" if pack is gzip.compress else b"deflate"
    seen = ask(saying(OK + b"Content-Encoding: " + coding + b"\r\n\r\n" + pack(b'{"a": 1}' * 20000)))
    assert seen.failure is None
    assert seen.body.startswith('{"a": 1}')
    assert (len(seen.body), seen.body_truncated) == (65536, True)
    assert seen.body_bytes < 2000


def test_unknown_coding_is_left_as_sent() -> None:
    seen = ask(saying(OK + b"Content-Encoding: compress\r\nContent-Length: 3\r\n\r\n\x0b\x01a"))
    assert (seen.body, seen.failure) == ("\\x0b\\x01a", None)


def test_long_body_is_cut_and_said_so() -> None:
    seen = ask(saying(OK + b"Content-Length: 100000\r\n\r\n" + b"x" * 100000))
    assert (len(seen.body), seen.body_truncated, seen.body_bytes) == (65536, True, 100000)
    assert seen.failure is None
