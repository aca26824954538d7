"""A scenario: faults under a name, with the verdicts that a run against them must give."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

from btdiag.lab.plan import LabPlan

PAGE = "browser.page-gets-its-answers"
OWN_CACHE = "browser.caches-keep-origins-apart"
RECORD = "browser.https-record-agrees"
# What a dead hop leaves nothing to see of, as globs for `skips`: the families that look at the target through its load
# balancer, and with a name that leads nowhere or no way to any address also those that look at the way there.
_SDK_CALLS = ("sdk.control-plane-routes-proxied", "sdk.data-plane-routes-answered", "sdk.login-points-here")
BEYOND_CONNECTION = (
    *("readiness.*", "cors.*", "lna.*", "keepalive.*", "gateway.*", "ratelimit.*", "audit.*", "retention.*"),
    *(PAGE, OWN_CACHE),
    *_SDK_CALLS,
)
_WHOLE_PAGE = frozenset(
    {
        *(
            "readiness.root-answers",
            "connection.tls-is-trusted",
            "browser.port-is-allowed",
            "browser.certificate-is-accepted",
        ),
        *("readiness.api-speaks-json", "cors.errors-are-readable", "cors.headers-not-doubled"),
        *("gateway.compressed-answers-unpack", "gateway.http2-works-where-offered"),
    }
)
"""Failures that a page in a browser meets with its first calls, whatever else there is."""
SLOW_UPLOADS = "gateway.slow-uploads-pass"
"""The check that needs --deep."""
BROWSER_TLS = "browser.certificate-is-accepted"
UNTRUSTED = (BROWSER_TLS, "clients.trust-the-certificate")
"""What a certificate that this run does not trust leaves nothing to say of."""
_BY_CONNECTION = (*UNTRUSTED, RECORD, "clients.handshake-is-not-too-large", "clients.resolve-the-name")
BEYOND_TCP = ("connection.*", *_BY_CONNECTION, *BEYOND_CONNECTION)
BEYOND_DNS = ("dns.*", "clients.take-the-same-way", *BEYOND_TCP)

# Measured past the load balancer or declared, and so still judged when its front is dead.
PAST_FRONT = (
    "readiness.brainstore-answers",
    "readiness.api-stays-up",
    "readiness.no-unexplained-errors",
    "keepalive.backend-outlives-load-balancer",  # by arithmetic: the lab declares both timeouts
    "keepalive.declared-timeout-is-effective",
)


class Fault(Protocol):
    """Anything that changes what is staged: the values of plan.py and faults/."""

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with this fault in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named stage. `fails`, `warns`, `inconclusive`, `skips` and `passes` are check ids, or globs such as
    "readiness.*"; a check that none of them names passes. An exact id wins over a glob, and among equals the order is
    fails, warns, inconclusive, skips, passes. `options` are the run options that the scenario needs."""

    name: str
    summary: str
    faults: tuple[Fault, ...] = ()
    fails: tuple[str, ...] = ()
    warns: tuple[str, ...] = ()
    inconclusive: tuple[str, ...] = ()
    skips: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def plan(self) -> LabPlan:
        """What it stages: the healthy data plane with the faults applied in order."""
        return reduce(lambda plan, fault: fault.apply(plan), self.faults, LabPlan())

    @property
    def all_skips(self) -> tuple[str, ...]:
        """`skips`, and the checks of features that the target does not have."""
        met = (PAGE,) if _WHOLE_PAGE & set(self.fails) and PAGE not in self.passes else ()
        slow = () if "--deep" in self.options else (SLOW_UPLOADS,)
        return (*self.skips, *_checks_without_feature(self.plan), *met, *slow)

    def as_json(self) -> dict[str, object]:
        """The scenario without its faults, as `--list --json` prints it."""
        return {
            "name": self.name,
            "summary": self.summary,
            "fails": list(self.fails),
            "warns": list(self.warns),
            "inconclusive": list(self.inconclusive),
            "skips": list(self.all_skips),
            "passes": list(self.passes),
            "options": list(self.options),
        }


_NEEDS = {
    "api_key": ("readiness.key-is-accepted", "sdk.login-points-here", "audit.*"),
    "backend": ("readiness.backend-agrees", "gateway.paths-arrive-unchanged"),
    "brainstore": ("readiness.brainstore-answers", "brainstore.status-is-not-latched"),
    "plain_port": ("connection.plain-http-redirects",),
}
"""The checks that need what a run is not told of."""


def _checks_without_feature(plan: LabPlan) -> tuple[str, ...]:
    """The checks that need what the target does not have."""
    told = plan.told
    skips: list[str] = []
    by_variable = "HTTPS_PROXY" in dict(told.variables) and "NO_PROXY" not in dict(told.variables)
    if not (told.through_proxy or by_variable):
        skips.append("connection.proxy-lets-through")
    else:
        skips += ["clients.resolve-the-name", RECORD]
    if told.through_proxy:
        skips.append("clients.take-the-same-way")
    if told.shows_client_certificate:
        skips.append(PAGE)
    if told.space == "public" and "address_spaces" not in dict(told.extra):
        skips.append("lna.*")
    if dict(told.extra).get("role") != "data-plane":
        skips.append("telemetry.*")
    if not plan.config:
        skips.append("config.*")
    if "BRAINSTORE_FAST_READER_URL" not in plan.config:
        skips.append("brainstore.fast-readers-are-there")
    if len(plan.brainstore_roles) < 2:
        skips += ["brainstore.roles-answer", "brainstore.roles-run-one-version"]
    if not told.has_bucket:
        skips.append("cors.bucket-lets-the-web-app-read")
    if not told.isolated and "expect_blocked" not in dict(told.extra):
        skips.append("egress.blocked-hosts-stay-blocked")
    if told.constrained:
        skips += ["egress.required-hosts-reachable", "egress.tls-not-intercepted"]
    skips += [check for key, checks in _NEEDS.items() if key in told.omits for check in checks]
    return (*skips, *_without_race(plan))


def _without_race(plan: LabPlan) -> tuple[str, ...]:
    """The keep-alive checks that see nothing where the backend outlives the load balancer's idle connections, where no
    header tells how long connections live, or where nothing can be compared."""
    skips = []
    balancer, backend = plan.balancer, plan.backend
    if balancer.upstream_idle < backend.keepalive + backend.grace or balancer.retry == "all":
        skips.append("keepalive.race-is-contained")
    if not any("Keep-Alive" in dict(getattr(rule, "set", ())) for _, rule in plan.rules):
        skips.append("keepalive.hint-is-true")
    if plan.told.omits & {"backend", "backend_keepalive"} or backend.down:
        skips.append("keepalive.declared-timeout-is-effective")
    if backend.down:
        skips.append("readiness.api-stays-up")
    return tuple(skips)


def scenarios() -> dict[str, Scenario]:
    """All scenarios by name, "healthy" first: every Scenario value of every module in `scenarios/`."""
    found = {scenario.name: scenario for scenario in _all()}
    return {name: found[name] for name in sorted(found, key=lambda name: (name != "healthy", name))}


def find(name: str) -> Scenario | None:
    """The scenario of that name, None where there is none."""
    return scenarios().get(name)


def _all() -> Iterator[Scenario]:
    package = importlib.import_module("btdiag.lab.scenarios")
    seen: set[str] = set()
    for module in pkgutil.iter_modules(package.__path__):
        members = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for scenario in (value for value in members.values() if isinstance(value, Scenario)):
            if scenario.name in seen:
                raise ValueError(f"two scenarios are named {scenario.name}")
            seen.add(scenario.name)
            yield scenario
