"""Content codings are undone within bounds, and what is not in its coding is told."""

from __future__ import annotations

import contextlib
import gzip
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from btdiag.core.exchange import Trouble
from btdiag.net.failures import Broken
from btdiag.net.limits import Limits
from btdiag.net.unpacking import CODINGS, unpacked

PACKERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
LIMITS = Limits()
CODED = pytest.mark.parametrize("coding", sorted(CODINGS))


@CODED
@given(content=st.binary(max_size=2_000))
def test_what_was_packed_comes_out_again(coding: str, content: bytes) -> None:
    assert unpacked(coding, PACKERS[coding](content), LIMITS) == (content, len(content))


@CODED
def test_a_bomb_is_named_and_costs_little(coding: str) -> None:
    bomb = PACKERS[coding](bytes(16 * 1024 * 1024))
    with pytest.raises(Broken, match="unpacks to more than") as broken:
        unpacked(coding, bomb, LIMITS)
    assert broken.value.trouble is Trouble.TOO_LARGE


@CODED
@given(content=st.binary(max_size=300))
def test_anything_else_is_an_answer_or_broken_and_nothing_worse(coding: str, content: bytes) -> None:
    with contextlib.suppress(Broken):
        kept, size = unpacked(coding, content, LIMITS)
        assert len(kept) <= size


@CODED
def test_what_is_no_such_coding_is_broken(coding: str) -> None:
    with pytest.raises(Broken, match="cannot be unpacked"):
        unpacked(coding, b'{"version": "1"}', LIMITS)


def test_deflate_without_its_header_is_taken_as_some_servers_send_it() -> None:
    packer = zlib.compressobj(wbits=-15)
    assert unpacked("deflate", packer.compress(b"abc") + packer.flush(), LIMITS) == (b"abc", 3)


def test_no_more_is_kept_than_allowed_and_the_whole_is_counted() -> None:
    small = Limits(body=10, body_decoded=1_000)
    for coding, packer in PACKERS.items():
        assert unpacked(coding, packer(b"x" * 900), small) == (b"x" * 10, 900)
    with pytest.raises(Broken, match="more than 1000"):
        unpacked("zstd", PACKERS["zstd"](b"x" * 1_001), small)


def test_a_window_that_browsers_refuse_is_refused() -> None:
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=27))
    stream = wide.compressobj()
    with pytest.raises(Broken, match="cannot be unpacked"):
        unpacked("zstd", stream.compress(b"x" * 100) + stream.flush(), LIMITS)
