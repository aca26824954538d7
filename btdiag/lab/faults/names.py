"""Faults in DNS, and in what the run is told of the target."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from btdiag.lab.plan import LabPlan, LabResolver


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswers:
    """What DNS says of the target's name: the given fields of plan.Resolver, for the server with that label or all."""

    server: str | None = None
    rcode: str | None = None
    addresses: tuple[str, ...] | None = None
    chain: tuple[str, ...] | None = None
    dangling: bool | None = None
    ttl: int | None = None
    silent: bool | None = None
    delay: float | None = None
    truncates: bool | None = None
    tcp: bool | None = None
    extended_error: int | None = None
    families: tuple[int, ...] | None = None
    rcode6: str | None = None
    udp: bool | None = None
    edns: bool | None = None
    https: str | None = None

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which DNS says so."""
        return replace(plan, resolvers=tuple(self._changed(resolver) for resolver in plan.resolvers))

    def _changed(self, resolver: LabResolver) -> LabResolver:
        if self.server not in (None, resolver.label):
            return resolver
        given = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "server"}
        return replace(resolver, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Tells:
    """The run is told another value for a key of the target."""

    key: str
    value: object

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which the target says so."""
        return replace(plan, told=replace(plan.told, extra=(*plan.told.extra, (self.key, self.value))))


@dataclass(frozen=True, slots=True)
class NamesApp:
    """The run is told that the web app's host must be reachable."""

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which the target says so."""
        return replace(plan, told=replace(plan.told, names_app=True))


@dataclass(frozen=True, slots=True)
class StartsProgramsWith:
    """The programs of the target's users are started with these variables."""

    variables: tuple[tuple[str, str], ...]

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which they are set."""
        return replace(plan, told=replace(plan.told, variables=(*plan.told.variables, *self.variables)))


@dataclass(frozen=True, slots=True)
class Omits:
    """The run is not told these keys of the target."""

    keys: tuple[str, ...]

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which the target lacks them."""
        return replace(plan, told=replace(plan.told, omits=plan.told.omits | frozenset(self.keys)))


@dataclass(frozen=True, slots=True)
class ThroughProxy:
    """The run has to go through the forward proxy."""

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which the target has a proxy."""
        return replace(plan, told=replace(plan.told, through_proxy=True))


@dataclass(frozen=True, slots=True)
class Declares:
    """The run is told of a configuration file with this text, in which @LAB-CA@ and @OTHER-CA@ stand for a root."""

    text: str

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with that file."""
        return replace(plan, config=self.text)
