"""What rules judge: a Helm release, a workload, a call of a Terraform module, a set of variables, a load balancer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Duplicate, HclBlock, Node, Position
from btdiag.lint.tables import Chart, Module


@dataclass(frozen=True, slots=True, kw_only=True)
class LintOptions:
    """What the command line declares: chart version, module versions by cloud, namespace, version before."""

    chart: str | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    upgrade_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The chart with values: `files` as given, `user` merged, `values` in effect. `prefix` is the key of the dependency
    in an umbrella chart, `outside` that chart's own files, `alone` if it has no other dependency; `before` the chart
    that is upgraded from."""

    chart: Chart
    files: tuple[Node, ...]
    user: Node
    values: Node
    prefix: str = ""
    namespace: str | None = None
    before: Chart | None = None
    outside: tuple[Node, ...] = ()
    alone: bool = False

    @property
    def whole(self) -> bool:
        """Whether the values name buckets, and so are not a mere overlay or excerpt."""
        return self.user.at("objectStorage") is not None

    def key(self, *path: str) -> str:
        """A key path as the user's file has it."""
        return ".".join((self.prefix, *path) if self.prefix else path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One environment variable. `place` is where it stands, `node` its value; `quoted` is False where a number or a
    boolean stands for text that Kubernetes requires."""

    name: str
    node: Node
    place: Position | None
    key: str
    quoted: bool = True

    @property
    def text(self) -> str | None:
        """The value; None where only another tool knows it."""
        if self.node.value is None:
            return ""
        text = self.node.text
        return None if text is not None and re.search(r"\$[\w({]", text) else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The environment of one thing. `role` is api, brainstore, gateway, lambda or any (an env file); `repeats` are
    variables that stand twice in a list."""

    role: str
    settings: tuple[Setting, ...]
    repeats: tuple[Duplicate, ...] = ()

    def get(self, name: str) -> Setting | None:
        """The last one of a name: it counts."""
        return next((one for one in reversed(self.settings) if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a rendered workload."""

    workload: str
    node: Node
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of the Terraform module with what is known of its arguments. `partial` for a tfvars file alone or an
    excerpt, `before` the version that is upgraded from."""

    module: Module
    place: Position
    arguments: Mapping[str, Node]
    partial: bool = False
    before: str | None = None

    def value(self, name: str) -> object:
        """The argument, or the module's default at this version; None if it has no such variable, or only Terraform
        knows the value."""
        if name in self.arguments:
            node = self.arguments[name]
            return node.text if isinstance(node.value, str) else node.value if node.known else None
        variable = self.module.variables.get(name)
        return variable.default if variable is not None and name in self.module.variables else None

    def on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.value(name) in (True, "true")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredBalancer:
    """A load balancer that holds connections to the API: its idle timeout in seconds, and where that is said;
    `of_module` if the module that runs the API makes it."""

    name: str
    idle_s: float
    place: Position
    key: str
    of_module: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """What a rule found. `fix` is the corrected line, without its indentation, where that is safe."""

    rule: str
    verdict: Verdict
    place: Position
    key: str
    summary: str
    expected: str = ""
    seen: str = ""
    remedy: str = ""
    fix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """All that was read. `duplicates` are keys that stand twice, `resources` the other blocks of Terraform."""

    files: tuple[str, ...] = ()
    assumed: Mapping[str, str] = field(default_factory=dict)
    releases: tuple[Release, ...] = ()
    manifests: tuple[Node, ...] = ()
    containers: tuple[Container, ...] = ()
    variables: tuple[Variables, ...] = ()
    calls: tuple[Call, ...] = ()
    resources: tuple[HclBlock, ...] = ()
    balancers: tuple[DeclaredBalancer, ...] = ()
    undeclared: tuple[tuple[str, Position], ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    repeated_arguments: tuple[Duplicate, ...] = ()
