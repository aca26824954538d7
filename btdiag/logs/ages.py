"""How long the connection that a request rode had been idle: exactly where the log names it, else by replay.

Replay: load balancers keep idle connections on a stack and reuse the one used last (measured on nginx, Apache, Envoy,
Traefik, Caddy, Varnish; not HAProxy). A request takes the connection that became idle last before it began, and puts
it back when it ends. Memory is bounded whatever the file.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque

_DEEPEST = 4_096  # idle connections of one pool; a load balancer keeps fewer
_POOLS = 2_000
_CONNECTIONS = 100_000
_RECENT = 64  # ends of requests on one upstream
_JITTER_S = 0.0015  # time stamps are rounded to the millisecond

BINS_PER_S = 1_000
FINEST_S, FINE_S = 20.0, 200.0
"""Below so many seconds ages are counted by milliseconds, below the second by hundredths, then by tenths."""


def bin_of(age_s: float) -> int:
    """The age as a whole number of milliseconds, coarser for long ones: a bounded number of bins for any file."""
    if age_s < FINEST_S:
        return int(age_s * BINS_PER_S)
    step = 10 if age_s < FINE_S else 100
    return int(min(age_s, 100_000.0) * BINS_PER_S) // step * step


class Ages:
    """Follows the idle connections of all pools through one log."""

    def __init__(self, *, replays: bool) -> None:
        self.replays = replays
        self.exact = False
        self._pools: dict[bytes, list[float]] = {}
        self._connections: dict[bytes, float] = {}
        self._ends: dict[bytes, deque[float]] = {}

    def ride(
        self, upstream: bytes, connection: bytes, begin: float, end: float, keeps: bool = True, fresh: bool = False
    ) -> float | None:
        """The idle age in seconds of the connection that a request rode; None for a new one, or where it is not known.
        `keeps` says whether the connection is idle again when the request ends."""
        if connection:
            return self._exact(upstream, connection, begin, end, keeps)
        if not self.replays:
            return None
        if self.exact:
            return self._youngest(upstream, begin)
        stack = self._pools.get(upstream)
        if stack is None:
            if len(self._pools) >= _POOLS:
                return None
            stack = self._pools[upstream] = []
        age = None
        if stack and not fresh:
            index = bisect_right(stack, begin + _JITTER_S) - 1
            if index >= 0:
                age = max(begin - stack.pop(index), 0.0)
        if keeps:
            if stack and end < stack[-1]:
                insort(stack, end)
            else:
                stack.append(end)
            if len(stack) > _DEEPEST:
                del stack[: _DEEPEST // 2]
        return age

    def _exact(self, upstream: bytes, connection: bytes, begin: float, end: float, keeps: bool) -> float | None:
        self.exact = True
        key = upstream + b" " + connection
        idle_since = self._connections.pop(key, None)
        if keeps:
            self._connections[key] = end
            if len(self._connections) > _CONNECTIONS:
                for old in list(self._connections)[: _CONNECTIONS // 2]:
                    del self._connections[old]
            self._remember(upstream, end)
        return max(begin - idle_since, 0.0) if idle_since is not None else None

    def _remember(self, upstream: bytes, end: float) -> None:
        ends = self._ends.get(upstream)
        if ends is None:
            if len(self._ends) >= _POOLS:
                return
            ends = self._ends[upstream] = deque(maxlen=_RECENT)
        ends.append(end)

    def _youngest(self, upstream: bytes, begin: float) -> float | None:
        """The age of the connection that became idle last: what a first attempt rode whose connection is not logged."""
        before = [end for end in self._ends.get(upstream, ()) if end <= begin + _JITTER_S]
        return max(begin - max(before), 0.0) if before else None
