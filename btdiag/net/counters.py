"""What Linux has counted on a TCP connection (tcp(7), TCP_INFO; struct tcp_info in linux/tcp.h); nothing elsewhere.

The counters tell what a silence cannot: whether what was sent has arrived, and whether something that was sent to us
has not.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys

from btdiag.core.exchange import TcpCounters

_SIZE = 232  # bytes; up to tcpi_rcv_ooopack (Linux 4.18) and tcpi_snd_wnd
_U32 = {"snd_mss": 16, "rcv_mss": 20, "unacked": 24, "rtt_us": 68, "total_retrans": 100, "rcv_ooopack": 224}
_NUMBER = struct.Struct("=I")
_BYTES_RECEIVED = 128  # u64


def of(sock: socket.socket | None) -> TcpCounters | None:
    """The counters of a connection as they stand; None where the system does not tell."""
    if not sys.platform.startswith("linux") or sock is None or sock.fileno() < 0:
        return None
    with contextlib.suppress(OSError):
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
        if len(info) < _SIZE - 4:
            return None
        value = {name: _NUMBER.unpack_from(info, offset)[0] for name, offset in _U32.items()}
        return TcpCounters(
            unacknowledged=value["unacked"],
            resent=value["total_retrans"],
            out_of_order=value["rcv_ooopack"],
            received=struct.unpack_from("=Q", info, _BYTES_RECEIVED)[0],
            round_trip_s=value["rtt_us"] / 1e6,
            largest_sent=value["snd_mss"],
            largest_received=value["rcv_mss"],
        )
    return None
