"""All measurements by name, those of the families and a user's own: what a set of checks needs, and what is wrong."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

import btdiag.families
from btdiag.core.measurement import BUILT_INS, MeasurementSpec, Scope, spec_of


class RegistryError(Exception):
    """Two measurements share a name; the text says which and where."""


class Registry:
    """Measurements by name."""

    def __init__(self, specs: Iterable[MeasurementSpec] = ()) -> None:
        self._specs: dict[str, MeasurementSpec] = {}
        self._problems: dict[str, str | None] = {}
        self._needs: dict[tuple[str, ...], tuple[MeasurementSpec, ...]] = {}
        for spec in specs:
            self.add(spec)

    def add(self, spec: MeasurementSpec) -> None:
        """Take one more in; RegistryError if its name is taken by another function."""
        known = self._specs.get(spec.name)
        if known is not None and known.function is not spec.function:
            raise RegistryError(
                f"measurement {spec.name!r} exists already in {known.function.__module__}: rename yours"
            )
        if spec.name in BUILT_INS:
            raise RegistryError(f"measurement {spec.name!r} has the name of a built-in: rename it")
        self._specs[spec.name] = spec
        self._problems.clear()
        self._needs.clear()

    def __getitem__(self, name: str) -> MeasurementSpec:
        return self._specs[name]

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    @property
    def specs(self) -> Mapping[str, MeasurementSpec]:
        """All of them, by name."""
        return self._specs

    def needs(self, names: Iterable[str]) -> tuple[MeasurementSpec, ...]:
        """The measurements among `names` with all that they need themselves, each after what it needs."""
        asked = tuple(names)
        if asked not in self._needs:
            self._needs[asked] = self._ordered(asked)
        return self._needs[asked]

    def _ordered(self, names: Iterable[str]) -> tuple[MeasurementSpec, ...]:
        ordered: dict[str, MeasurementSpec] = {}

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in ordered or name not in self._specs or name in above:
                return
            spec = self._specs[name]
            for parameter in _inputs(spec):
                visit(parameter, (*above, name))
            ordered[name] = spec

        for name in names:
            visit(name, ())
        return tuple(ordered.values())

    def problem(self, spec: MeasurementSpec) -> str | None:
        """Why this measurement can never run (a cycle, an unknown or unfitting parameter); None if it can."""
        if spec.name not in self._problems:
            self._problems[spec.name] = self._problem(spec)
        return self._problems[spec.name]

    def _problem(self, spec: MeasurementSpec) -> str | None:
        for parameter in spec.parameters:
            if parameter not in self._specs and parameter not in BUILT_INS:
                return (
                    f"measurement {spec.name!r} asks for {parameter!r}, which is neither a measurement nor a built-in"
                )
            if parameter == "route" and spec.scope is not Scope.ADDRESS:
                return f"measurement {spec.name!r} asks for 'route', which only Scope.ADDRESS has"
            if parameter == "target" and spec.scope is Scope.RUN:
                return f"measurement {spec.name!r} asks for 'target', which Scope.RUN has not"
        cycle = self._cycle(spec.name, ())
        return f"measurements need each other in a circle: {' -> '.join(cycle)}" if cycle else None

    def _cycle(self, name: str, above: tuple[str, ...]) -> tuple[str, ...]:
        if name in above:
            return (*above[above.index(name) :], name)
        if name not in self._specs:
            return ()
        for parameter in _inputs(self._specs[name]):
            if cycle := self._cycle(parameter, (*above, name)):
                return cycle
        return ()


def awaited(spec: MeasurementSpec) -> tuple[str, ...]:
    """The measurements that a spec waits for. Its `client` goes the first way there is, and so waits for that."""
    own = tuple(name for name in spec.parameters if name not in BUILT_INS)
    return (*own, "way") if "client" in spec.parameters and "way" not in own else own


def _inputs(spec: MeasurementSpec) -> tuple[str, ...]:
    """What a spec waits for; those per address wait for the routes as well."""
    own = awaited(spec)
    return (*own, "routes") if spec.scope is Scope.ADDRESS and spec.name != "routes" else own


def shipped() -> Registry:
    """The measurements of every family: all that `btdiag.families.<family>.probe` defines."""
    registry = Registry()
    for module in _probes():
        for thing in vars(module).values():
            spec = spec_of(thing)
            if spec is not None and thing.__module__ == module.__name__:
                registry.add(spec)
    return registry


def _probes() -> Iterator[ModuleType]:
    """Each family's probe: a module, or a package of modules (what runs in a process of its own is a package in it)."""
    for family in pkgutil.iter_modules(btdiag.families.__path__):
        probe = importlib.import_module(f"btdiag.families.{family.name}.probe")
        yield probe
        for part in pkgutil.iter_modules(getattr(probe, "__path__", ())):
            if not part.ispkg:
                yield importlib.import_module(f"{probe.__name__}.{part.name}")
