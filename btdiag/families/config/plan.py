"""What is tried of what files declare: few origins, and as many requests as show all replicas; each costs one."""

from __future__ import annotations

import re

from btdiag.config.stated import ORIGIN, REPLICAS
from btdiag.core.exchange import Exchange
from btdiag.core.target import Target

MOST = 4
WEB_APP = "https://www.braintrust.dev"
PATH = "/v1/project"


def asked_origins(target: Target) -> tuple[tuple[str, ...], int]:
    """The origins of the files that are tried, and how many are not."""
    named = [setting.value for setting in target.settings if setting.name == ORIGIN and setting.value != WEB_APP]
    return tuple(named[:MOST]), len(named[MOST:])


MOST_REQUESTS = 40  # in a run; a replica of eight is then missed by chance in four runs of a hundred
MISSED = 0.01  # the chance that of replicas that all take requests one is not met
_NAMING = ("x-served-by", "x-backend-server", "x-backend", "x-pod-name", "x-pod", "x-instance-id", "x-upstream-addr")
_CACHE = re.compile(r"^cache-")  # Fastly's own x-served-by


def declared_count(target: Target) -> int | None:
    """The replicas that the files declare; None where they declare none, or several numbers."""
    counts = {setting.value for setting in target.settings if setting.name == REPLICAS}
    return int(counts.pop()) if len(counts) == 1 else None


def missed_by_chance(replicas: int, requests: int) -> float:
    """An upper bound of the chance that one of so many, each as likely as the others, answers none of the requests."""
    return min(1.0, replicas * (1 - 1 / replicas) ** requests) if replicas > 1 else 0.0


def requests_for(replicas: int) -> int:
    """How many requests show all of so many replicas, and that there are no more."""
    wanted = next((n for n in range(1, MOST_REQUESTS) if missed_by_chance(replicas + 1, n) <= MISSED), MOST_REQUESTS)
    return max(wanted, 4)


def replica_of(seen: Exchange) -> tuple[str, str] | None:
    """(header, value) of an answer that tells which replica gave it. Values of cookies, which may, are not kept."""
    for name in _NAMING:
        value = seen.header(name)
        if value and not _CACHE.match(value):
            return name, value[:100]
    return None
