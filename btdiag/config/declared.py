"""What configuration files declare of the settings that btdiag holds against what it measures. Pure.

Only the settings named here are kept of a file; everything else in it, secrets above all, is dropped at once.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence

from btdiag.config.files import Leaf
from btdiag.config.values import UsageError, printable
from btdiag.core.target import DeclaredSetting

KEEPALIVE = "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS"
MAX_REQUESTS = "OUTBOUND_RATE_LIMIT_MAX_REQUESTS"
WINDOW_MINUTES = "OUTBOUND_RATE_LIMIT_WINDOW_MINUTES"
LB_IDLE = "the load balancer's idle timeout"
ECS_ALB_IDLE_S = "900"  # hard-coded for the API's own ALB (terraform-aws-braintrust-data-plane, modules/api-ecs/alb.tf)

_Place = tuple[str, tuple[str, ...]]  # a file, and the keys that lead there
SHOWN = 200  # characters kept of a value and of its place
OPTION = {KEEPALIVE: "backend_keepalive", LB_IDLE: "lb_idle_timeout"}
"""The options that declare the same as a setting."""

_VARIABLES = (KEEPALIVE, MAX_REQUESTS, WINDOW_MINUTES)
_MODULE = {"outbound_rate_limit_max_requests": MAX_REQUESTS, "outbound_rate_limit_window_minutes": WINDOW_MINUTES}
NOT_THE_API = {"brainstore", "aiGateway"}
_LAMBDA = "service_extra_env_vars"  # of the Lambda functions, where no connection is kept
ALB_ATTRIBUTES = "alb.ingress.kubernetes.io/load-balancer-attributes"
_ALB = {"aws_lb", "aws_alb"}
_LB_KEYS = (
    "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout",
    "upstream-keepalive-timeout",  # ConfigMap of ingress-nginx
)
_VARIABLE = re.compile(r"\$\{(?:(?:tostring|tonumber)\()?(var|local)\.(\w+)\)?\}")


def found(leaves: Sequence[Leaf]) -> tuple[DeclaredSetting, ...]:
    """The settings of one file or folder, in the order in which they stand there; each once, but for different places
    that say different things."""
    others = Others(leaves)
    named = (setting for leaf in leaves for setting in _of(leaf, others))
    by_place: dict[tuple[str, _Place], DeclaredSetting] = {}
    for place, setting in named:
        by_place[setting.name, place] = setting  # of one list the last entry counts (Kubernetes, container env)
    return tuple({(setting.name, setting.value): setting for setting in by_place.values()}.values())


class Others:
    """The leaves that others refer to, found at once: looking through all of them for each would take hours."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._values: dict[_Place, str] = {}
        self._assigned: dict[str, str] = {}
        self._locals: dict[str, str] = {}
        self._defaults: dict[str, str] = {}
        for leaf in leaves:
            self._values.setdefault((leaf.file, leaf.path), leaf.value)
            match leaf.path:
                case (name,):
                    self._assigned.setdefault(name, leaf.value)
                case ("locals", _, name):
                    self._locals.setdefault(name, leaf.value)
                case ("variable", _, name, "default"):
                    self._defaults.setdefault(name, leaf.value)

    def beside(self, leaf: Leaf, up: int, key: str) -> str | None:
        """The value of a key in the same file, in the place that is so many keys above the leaf."""
        return self._values.get((leaf.file, (*leaf.path[:-up], key)))

    def local(self, name: str) -> str | None:
        """What a Terraform local is set to."""
        return self._locals.get(name)

    def variable(self, name: str) -> str | None:
        """What a line of a .tfvars file sets a Terraform variable to, else its default."""
        return self._assigned.get(name, self._defaults.get(name))


def _of(leaf: Leaf, others: Others) -> Iterator[tuple[_Place, DeclaredSetting]]:
    """The setting that a leaf is, with the place that holds it."""
    if NOT_THE_API & set(leaf.path):
        return
    for name, value, depth in _read(leaf, others):
        if name == KEEPALIVE and _LAMBDA in leaf.path:
            continue
        place = (leaf.file, leaf.path[:-depth])
        yield place, DeclaredSetting(name=name, value=evaluated(value, others)[:SHOWN], where=leaf.where[:SHOWN])


def _read(leaf: Leaf, others: Others) -> Iterator[tuple[str, str, int]]:
    """(name, value, keys below the place): NAME: value, {name: NAME, value: value}, "NAME=value" and the load
    balancers' own attributes."""
    key, parents = leaf.path[-1], leaf.path[:-1]
    if key in _VARIABLES:
        yield key, leaf.value, 1
    elif key == "name" and leaf.value in _VARIABLES:
        value = others.beside(leaf, 1, "value")
        if value is not None:
            yield leaf.value, value, 2
    elif parents[-1:] == ("environment",) and leaf.value.partition("=")[0] in _VARIABLES:
        name, _, value = leaf.value.partition("=")
        yield name, value, 1
    elif key in _MODULE:
        yield _MODULE[key], leaf.value, 1
    elif (idle := _balancer(leaf, others)) is not None:
        yield LB_IDLE, idle, 1


def _balancer(leaf: Leaf, others: Others) -> str | None:
    key = leaf.path[-1]
    if key == "idle_timeout" and _ALB & {*leaf.path, _type(leaf, others)}:
        return leaf.value
    if key == "enable_ecs_api" and leaf.value == "true":
        return ECS_ALB_IDLE_S
    if key == ALB_ATTRIBUTES:
        match = re.search(r"\bidle_timeout\.timeout_seconds=(\d+)", leaf.value)
        return match[1] if match else None
    return leaf.value if key in _LB_KEYS else None


def _type(leaf: Leaf, others: Others) -> str | None:
    """The type of the planned resource whose value this is."""
    return others.beside(leaf, 2, "type") if leaf.path[-2:-1] == ("values",) else None


def evaluated(value: str, others: Others, depth: int = 5) -> str:
    """The value, or what the Terraform variable or local that it names is set to; as it stands where that is not
    known."""
    match = _VARIABLE.fullmatch(value)
    if not match or not depth:
        return value
    kind, name = match.groups()
    known = others.local(name) if kind == "local" else others.variable(name)
    return value if known is None else evaluated(known, others, depth - 1)


def in_effect(paths: Sequence[Sequence[DeclaredSetting]], given: Container[str]) -> dict[str, DeclaredSetting]:
    """By name the setting that counts: of several paths the last one that says anything, as with `helm -f`.

    `given` are the options that were set otherwise, whose settings do not matter. UsageError where a path contradicts
    itself, or says what only Terraform can evaluate: a guess would be worse than a question.
    """
    effect: dict[str, DeclaredSetting] = {}
    for settings in paths:
        for name in dict.fromkeys(setting.name for setting in settings):
            if OPTION.get(name) not in given:
                effect[name] = _only([setting for setting in settings if setting.name == name])
    return effect


def _only(settings: Sequence[DeclaredSetting]) -> DeclaredSetting:
    first = settings[0]
    option = OPTION.get(first.name)
    otherwise = f" or give --{option.replace('_', '-')}" if option else ""
    if len(settings) > 1:
        said = " and ".join(f"{one.value} in {one.where}" for one in settings[:3])
        raise UsageError(printable(f"--config: {first.name} is {said}: name the file that is deployed{otherwise}"))
    if "${" in first.value:
        hand_over = "hand over what terraform show -json prints of a plan"
        raise UsageError(printable(f"--config: {first}, which only Terraform can evaluate: {hand_over}{otherwise}"))
    if option and not _seconds(first.value):
        raise UsageError(
            printable(f"--config: {first}, which is no number of seconds above zero: correct it{otherwise}")
        )
    return first


def _seconds(text: str) -> bool:
    return re.fullmatch(r"\d{1,7}(\.\d{1,6})?", text, re.ASCII) is not None and float(text) > 0
