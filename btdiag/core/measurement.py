"""What a measurement is: an async function that observes one thing and returns a frozen fact.

Its parameters name what it needs: other measurements, or one of the built-ins `target` (Target), `mode` (Mode), `route`
(Route, only with Scope.ADDRESS), `wire` (net.wire.Wire, all network I/O), `client` (the same as an httpx.AsyncClient)
and `waits` (Waits). The engine starts all
that a run needs at once. A bad observation (refused, 502, NXDOMAIN) is a fact; raise `Blocked` only when there is
nothing to observe because another check fails, and `Unknown` when it could not be found out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from btdiag.core.target import Mode, Target

Fact = TypeVar("Fact")
Function = TypeVar("Function", bound=Callable[..., Any])

BUILT_INS = frozenset({"target", "mode", "route", "wire", "client", "waits", "closing"})


class Scope(StrEnum):
    """How often a measurement runs: once a run, once a target, or once for every address of a target."""

    RUN = "run"
    TARGET = "target"
    ADDRESS = "address"


class Blocked(Exception):
    """Raised by a measurement that cannot be made because the claim of check `by` does not hold."""

    def __init__(self, by: str, reason: str) -> None:
        super().__init__(reason)
        self.by = by
        self.reason = reason


class Unknown(Exception):
    """Raised by a measurement that could not find out, for a reason that is not the target's fault (or a 429)."""

    def __init__(self, reason: str, command: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.command = command


class OutOfTime(Unknown):
    """Raised where the run's time ended before a request could be sent, or before its silence could mean anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasured:
    """Handed over instead of a fact to whoever admits it (`fact: Fact | NotMeasured`).

    `by` is the id of the check that blocks it, `also_by` those that block it elsewhere (at other addresses).
    `command` is the btdiag call that would measure it. `skipped` tells "was not asked for" (--quick, no --backend)
    from "could not be found out".
    """

    reason: str
    by: str | None = None
    also_by: tuple[str, ...] = ()
    command: str | None = None
    skipped: bool = False


class NotAsked(Exception):
    """Raised by a measurement that does not apply to this run (no --backend given, http target without TLS ...)."""

    def __init__(self, reason: str, command: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.command = command


class PerAddress(Mapping[str, "Fact | NotMeasured"], Generic[Fact]):
    """The facts of an ADDRESS measurement by route label, as a TARGET measurement or a check receives them."""

    def __init__(self, entries: Mapping[str, Fact | NotMeasured]) -> None:
        self._entries = dict(entries)

    def __getitem__(self, label: str) -> Fact | NotMeasured:
        return self._entries[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def facts(self) -> dict[str, Fact]:
        """Only the addresses that have a fact."""
        return {label: entry for label, entry in self._entries.items() if not isinstance(entry, NotMeasured)}

    @property
    def missing(self) -> dict[str, NotMeasured]:
        """Only the addresses that have none, with the reason."""
        return {label: entry for label, entry in self._entries.items() if isinstance(entry, NotMeasured)}


class Waits(Protocol):
    """The one way to wait: it feeds the progress display, the budget and `longest_wait_s`."""

    async def idle(self, seconds: float, what: str) -> None:
        """Let `seconds` pass; `what` names what is waited for ("backend keep-alive")."""

    def alone(self, within: float | None = None) -> AbstractAsyncContextManager[None]:
        """Be undisturbed: entered when every other measurement on the target (or on one that shares its host) has ended
        or is in an idle wait, or after `within` seconds; until it is left nobody else starts or wakes up."""

    def remaining(self) -> float:
        """Seconds left of the run's budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementSpec:
    """A measurement function with what it declares.

    `budget` (seconds) is the time it may take beside its planned idle wait, `why` the reason for that figure; `idle`
    gives the planned wait for a target and mode, None for no wait at all. `sends` gives a line for each request it will
    make ("GET https://host/version"), for --dry-run. What disturbs the target is done within `waits.alone()`.
    `provokes` names the errors that its requests are meant to meet, which then nobody else has to explain. What is
    `first` begins before all else.
    """

    name: str
    function: Callable[..., Any]
    budget: float
    why: str
    scope: Scope
    idle: Callable[[Target, Mode], float] | None
    sends: Callable[[Target, Mode], Sequence[str]] | None
    provokes: str = ""
    first: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that the function asks for, in order."""
        return _parameters(self.function)

    @property
    def shipped(self) -> bool:
        """Does it come with btdiag, and not from a user's own folder?"""
        return self.function.__module__.startswith("btdiag.")

    @property
    def first_line(self) -> str:
        """What it observes, in one line."""
        return (inspect.getdoc(self.function) or self.name).splitlines()[0]


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def measurement(
    *,
    budget: float,
    why: str,
    scope: Scope = Scope.TARGET,
    idle: Callable[[Target, Mode], float] | None = None,
    sends: Callable[[Target, Mode], Sequence[str]] | None = None,
    provokes: str = "",
    first: bool = False,
) -> Callable[[Function], Function]:
    """Mark an async function as a measurement; its name is what checks and other measurements ask for."""

    def mark(function: Function) -> Function:
        spec = MeasurementSpec(
            name=function.__name__,
            function=function,
            budget=budget,
            why=why,
            scope=scope,
            idle=idle,
            sends=sends,
            provokes=provokes,
            first=first,
        )
        function.__btdiag_measurement__ = spec  # type: ignore[attr-defined]
        return function

    return mark


def spec_of(thing: object) -> MeasurementSpec | None:
    """The declaration of a function marked with `@measurement`, None for anything else."""
    found = getattr(thing, "__btdiag_measurement__", None)
    return found if isinstance(found, MeasurementSpec) else None
