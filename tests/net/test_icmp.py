"""The sender and code of an ICMP error are read from what Linux keeps beside the error number."""

from __future__ import annotations

import socket
import struct
from typing import cast

import pytest

from btdiag.core.exchange import Icmp
from btdiag.net import icmp


def kept(origin: int, kind: int, code: int, sender: str) -> bytes:
    """struct sock_extended_err with the sender's address after it, as in ip(7)."""
    error = struct.pack("=IBBBBII", 113, origin, kind, code, 0, 0, 0)
    if ":" in sender:
        return error + struct.pack("=HHI", socket.AF_INET6, 0, 0) + socket.inet_pton(socket.AF_INET6, sender) + bytes(4)
    return error + struct.pack("=HH", socket.AF_INET, 0) + socket.inet_pton(socket.AF_INET, sender) + bytes(8)


class Queue:
    """A socket as far as its error queue goes."""

    family = socket.AF_INET

    def __init__(self, *messages: bytes) -> None:
        self._messages = messages

    def getsockname(self) -> tuple[str, int]:
        return "192.0.2.9", 40000

    def recvmsg(self, size: int, ancillary: int, flags: int) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
        if not self._messages:
            raise BlockingIOError
        return b"", [(0, 11, message) for message in self._messages], flags, None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (kept(2, 3, 13, "192.0.2.1"), Icmp(sender="192.0.2.1", version=4, code=13)),
        (kept(2, 3, 3, "192.0.2.9"), Icmp(sender="192.0.2.9", version=4, code=3, own=True)),
        (kept(3, 1, 1, "2001:db8::1"), Icmp(sender="2001:db8::1", version=6, code=1)),
        (kept(2, 11, 0, "192.0.2.1"), None),  # time exceeded
        (kept(1, 0, 0, "0.0.0.0"), None),  # this machine's own error
        (kept(2, 3, 13, "192.0.2.1")[:18], None),
        (b"", None),
    ],
)
def test_what_the_queue_holds(monkeypatch: pytest.MonkeyPatch, message: bytes, expected: Icmp | None) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(socket, "MSG_ERRQUEUE", 8192, raising=False)
    assert icmp.heard(cast(socket.socket, Queue(message))) == expected
    assert icmp.heard(cast(socket.socket, Queue())) is None


def test_other_systems_tell_the_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert icmp.heard(cast(socket.socket, Queue(kept(2, 3, 13, "192.0.2.1")))) is None


@pytest.mark.parametrize(
    ("version", "code", "rejects"),
    [
        (4, 0, False),
        (4, 1, False),
        (4, 3, True),
        (4, 9, True),
        (4, 13, True),
        (6, 0, False),
        (6, 1, True),
        (6, 3, False),
    ],
)
def test_which_codes_only_a_filter_sends(version: int, code: int, rejects: bool) -> None:
    told = Icmp(sender="192.0.2.1", version=version, code=code)
    assert told.rejects is rejects
    assert "192.0.2.1 says: " in told.words
