"""What one request may cost: every limit of time and size in one block, each with its reason. Bytes and seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server may cost us. Bytes and seconds; `total` covers connecting to the end of the body, `answer` only the
    answer."""

    header: int = 64 * 1024
    body: int = 64 * 1024  # decoded bytes kept
    body_wire: int = 1024 * 1024  # bytes read before we hang up
    body_decoded: int = 1024 * 1024  # bytes unpacked from a compressed body before we call it a bomb
    total: float = 10.0
    answer: float = math.inf


ENOUGH_S = 5.0  # a silence so long is the server's own: the platforms' health checks give up after 5 s

# Names. One datagram may be lost; a resolver that is slow is none that is dead.
UDP_TIMEOUT = 1.0  # until the question is asked once more
UDP_TRIES = 2
UDP_PATIENCE = 5.0  # glibc waits so long before it asks again: resolv.conf(5), timeout
TCP_TIMEOUT = 1.0  # beside the second datagram: tells "UDP is dropped" from "dead"
SYSTEM_TIMEOUT = 5.0  # as long as the direct questions may take: silence from both is an answer
SYSTEM_PATIENCE = 16.0  # glibc asks again after 5 s, twice, and one by one where one question is never answered: 15 s

# Connections.
CONNECT_BUDGET = 5.0  # Linux sends its third SYN after 3 s, so two lost packets are survived
GREETING = Limits(total=1.0, body=0)  # a late TLS alert comes within a round trip; how slow a server is others ask
PLAIN_GREETING = Limits(total=6.0, answer=1.0, body=0)  # with 5 s to connect
PLAIN_HTTP_ANSWER = Limits(total=5.0, body=4096)

# Answers.
HEALTH_ANSWER = Limits(total=6.0)  # the platforms' health checks give up after 5, one more shows what came late
EGRESS_ANSWER = Limits(total=6.0)  # connecting included
CORS_ANSWER = Limits(header=32 * 1024, body=4 * 1024, body_wire=64 * 1024, total=4.0)  # some 35 requests in 30 s
PROGRAM_ANSWER = Limits(body=16 << 20, body_wire=16 << 20, body_decoded=16 << 20, total=60.0)  # whatever a test asks
LOGIN_ANSWER = Limits(total=20.5)  # Python SDKs give up after 20
