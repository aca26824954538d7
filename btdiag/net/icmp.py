"""Who says that a connection is impossible: the sender and the code of the ICMP error, without privileges.

Linux keeps the message beside the error number for a socket that asks for it (IP_RECVERR in ip(7), IPV6_RECVERR in
ipv6(7)). Other systems tell the number alone.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from dataclasses import replace

from btdiag.core.exchange import Icmp

_OPTIONS: dict[int, tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
_ORIGINS = {2: (4, 3), 3: (6, 1)}  # SO_EE_ORIGIN_ICMP and _ICMP6: IP version, type "destination unreachable"
_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err; the sender's socket address follows it


def listen(sock: socket.socket, family: int) -> None:
    """Let the system keep ICMP errors for this socket of that family."""
    _switch(sock, family, 1)


def ignore(sock: socket.socket, family: int) -> None:
    """The connection stands: from here on errors are treated as for every other program."""
    _switch(sock, family, 0)


def heard(sock: socket.socket) -> Icmp | None:
    """The message that made connecting fail; None where there was none or the system does not tell."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(OSError):
        for _, _, data in sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)[1]:
            if (told := _told(data)) is not None:
                return replace(told, own=told.sender == sock.getsockname()[0])
    return None


def _switch(sock: socket.socket, family: int, value: int) -> None:
    if sys.platform == "linux" and family in _OPTIONS:
        level, option = _OPTIONS[family]
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, value)


def _told(data: bytes) -> Icmp | None:
    if len(data) < _ERROR.size:
        return None
    _, origin, kind, code, *_ = _ERROR.unpack_from(data)
    version, unreachable = _ORIGINS.get(origin, (0, 0))
    if not version or kind != unreachable:
        return None
    start, length, family = (4, 4, socket.AF_INET) if version == 4 else (8, 16, socket.AF_INET6)
    sender = data[_ERROR.size + start :][:length]
    if len(sender) < length:
        return None
    return Icmp(sender=socket.inet_ntop(family, sender), version=version, code=code)
