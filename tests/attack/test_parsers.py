"""No bytes of a stranger make a parser raise what nobody expects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.attack import corpus
from tests.attack.parsers import PARSERS

WORDS = (
    *(b"HTTP/1.1 200 OK\r\n", b"Date: ", b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"\r\n\r\n", b"\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Retry-After: ", b"9" * 400, b"Location: //", b"Age: -1\r\n", b"{", b"[", b'"'),
    *(b"token=", b"eyJ"),
)
PIECES = st.one_of(st.binary(max_size=40), st.sampled_from(WORDS), st.text(max_size=20).map(str.encode))
BYTES = st.one_of(st.binary(max_size=600), st.lists(PIECES, max_size=12).map(b"".join))


@pytest.mark.parametrize("name", PARSERS)
def test_any_bytes(name: str) -> None:
    @given(BYTES)
    def holds(data: bytes) -> None:
        PARSERS[name](data)

    holds()


@pytest.mark.parametrize("name", ["http1_answer", "http2_answer", "proxy_answer"])
def test_the_corpus(name: str) -> None:
    served = [*corpus.ODD.values(), *corpus.BODIES.values(), *corpus.BANNERS.values(), *corpus.H2.values()]
    for content in served:
        PARSERS[name](content)
