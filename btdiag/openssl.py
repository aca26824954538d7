"""Keeps a TLS error of one connection from being reported for another one.

OpenSSL has one error queue per thread, and Python's ssl asks it what became of a read without having emptied it before
(SSL_get_error(3) demands that; python/cpython issue 148594). Closing a connection that was sent an alert leaves that
alert in the queue, and the next connection of the same thread that waits for data is then said to have been sent it.
"""

from __future__ import annotations

import contextlib
import ssl

_ANY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _TidyObject(ssl.SSLObject):
    """Leaves no error behind where closing succeeds in spite of one; a call that raises empties the queue by itself."""

    def unwrap(self) -> None:
        super().unwrap()
        _empty_queue()


def tidy(context: ssl.SSLContext) -> ssl.SSLContext:
    """The context, whose connections by asyncio from now on leave OpenSSL's error queue empty."""
    context.sslobject_class = _TidyObject
    return context


def _empty_queue() -> None:
    """There is no call for it; refusing a list of ciphers ends with it (10 microseconds)."""
    with contextlib.suppress(ssl.SSLError):
        _ANY.set_ciphers("none")
