"""What was seen of the API server's staying up: each look at it, and the connections that were held meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.families.keepalive.facts import Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One GET / of a watch: when it was sent, and what came; `answered` False for a gateway's error or none at all.
    With one that failed more were asked, one after the other: `in_a_row` is how many failed, itself included, before
    one was answered, and `mixed` tells that failures and answers came by turns."""

    at_s: float
    answered: bool
    what: str
    mixed: bool = False
    in_a_row: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Connections to the API server itself, one more with each look, held while further ones are made: `refused_at_s`
    are the moments at which a new one was refused, `late_s` by how much btdiag itself was late at most."""

    label: str
    lives: tuple[Life, ...]
    refused_at_s: tuple[float, ...] = ()
    late_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """The API looked at every `every_s` seconds through the load balancer, each time on a new connection; `direct` are
    those past it (--backend)."""

    label: str
    every_s: float
    looks: tuple[Look, ...]
    direct: Held | None = None
