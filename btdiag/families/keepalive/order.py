"""The order of idle timeouts: the load balancer must let go of a connection before the backend does. Pure arithmetic.

What follows from two known timeouts without any waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from btdiag.config.declared import KEEPALIVE, LB_IDLE
from btdiag.core.finding import Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import Target
from btdiag.families.keepalive.facts import DEFAULT_KEEPALIVE_S, NODE_EXTRA_S, BackendIdle, TimeoutSource
from btdiag.families.keepalive.restarts import restarts

BALANCER_DEFAULTS_S: Mapping[str, float] = {
    "nginx": 60.0,  # keepalive_timeout of an upstream with keepalive (nginx.org, ngx_http_upstream_module)
    "Caddy": 120.0,  # keepalive of reverse_proxy's http transport (caddyserver.com)
    "Envoy (or Istio)": 3600.0,  # idle_timeout of HttpProtocolOptions (envoyproxy.io)
    "Google Cloud load balancer": 600.0,  # fixed (cloud.google.com, load balancing, timeouts)
    "Traefik (or another Go proxy)": 90.0,  # idleConnTimeout of its serversTransport (doc.traefik.io); Go's own as well
    "Azure Front Door": 90.0,  # keep-alive to the origin (learn.microsoft.com, Front Door FAQ)
    "AWS Application Load Balancer": 60.0,  # idle_timeout.timeout_seconds (docs.aws.amazon.com)
}
"""Seconds for which a load balancer keeps idle connections to its backend unless it is told otherwise, by the name
that core/signatures has for it. HAProxy has no such timeout, and Azure documents none for Application Gateway. Other
CDNs are not among them: what stands between them and the API is not seen, while Front Door leads straight to the
API's service where Azure's own module sets it up."""

MARGIN_S = 2.0  # less than this between the two timeouts is a risk: timers lag under load, and so do packets
ADVISED_MARGIN_S = 5.0  # what a remedy aims for
EARLY_S = 0.5  # a closing so much before the declared setting is rounding, not another setting
LATE_S = 1.0  # timers that are looked at once a second, and a loaded machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout:
    """An idle timeout as far as it is known. `closes_after_s` is when the connection really ends, Node's second
    included; `at_least` marks a lower bound (still open then); `setting_s` is what the configuration says, and
    `where` in which file."""

    closes_after_s: float
    source: TimeoutSource
    setting_s: float | None = None
    at_least: bool = False
    where: str = ""

    def __str__(self) -> str:
        bound = "more than " if self.at_least else ""
        if self.setting_s is None:
            return f"{bound}{self.closes_after_s:.4g} s ({self.source.value})"
        return f"{self.setting_s:g} s ({self.source.value}{f' in {self.where}' if self.where else ''})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The two timeouts side by side; None for one that is not known."""

    backend: Timeout
    balancer: Timeout | None

    @property
    def margin_s(self) -> float | None:
        """Seconds that the backend keeps a connection longer than the load balancer does; negative: it closes first."""
        return None if self.balancer is None else self.backend.closes_after_s - self.balancer.closes_after_s

    @property
    def verdict(self) -> Verdict:
        """What follows by arithmetic alone. Equal values are no margin: both timers run out together."""
        margin = self.margin_s
        if margin is None or (self.backend.at_least and margin < MARGIN_S):
            return Verdict.INCONCLUSIVE
        if self.by_default:
            return Verdict.WARN if margin <= 0 else Verdict.INCONCLUSIVE
        if margin <= 0:
            return Verdict.WARN if self.backend.source is TimeoutSource.DEFAULT else Verdict.FAIL
        return Verdict.WARN if round(margin, 1) < MARGIN_S else Verdict.PASS

    @property
    def by_default(self) -> bool:
        """Is the load balancer's timeout only that of its product?"""
        return self.balancer is not None and self.balancer.source is TimeoutSource.DEFAULT

    @property
    def sound(self) -> bool | None:
        """True: the load balancer closes first, with a margin; False: the backend does; None: not known, or close."""
        if self.margin_s is None or self.by_default or self.backend.source is TimeoutSource.DEFAULT:
            return None
        return {Verdict.PASS: True, Verdict.FAIL: False}.get(self.verdict)


def contradiction_s(declared_s: float, closings_s: Sequence[float]) -> float:
    """By how many seconds the earliest closing contradicts a declared setting: negative when too early, positive when
    too late, 0 when it came at the setting or up to Node's second (and a busy machine's) later."""
    closed = min(closings_s)
    return min(0.0, closed - declared_s + EARLY_S) or max(0.0, closed - declared_s - NODE_EXTRA_S - LATE_S)


def order_of(target: Target, measured: BackendIdle | NotMeasured | None, product: str = "") -> Order:
    """The order of timeouts from the best source of each: measured (the earliest closing, for load only delays),
    declared, default. An undeclared load balancer's timeout cannot be measured from outside; that of a recognised
    `product` stands in for it."""
    return Order(backend=_backend(target, measured), balancer=_balancer(target, product))


def _balancer(target: Target, product: str) -> Timeout | None:
    declared = target.lb_idle_timeout
    if not declared:
        default = BALANCER_DEFAULTS_S.get(product)
        if default is None:
            return None
        return Timeout(closes_after_s=default, source=TimeoutSource.DEFAULT, setting_s=default, where=product)
    where = _where(target, LB_IDLE)
    return Timeout(closes_after_s=declared, source=TimeoutSource.DECLARED, setting_s=declared, where=where)


def _backend(target: Target, measured: BackendIdle | NotMeasured | None) -> Timeout:
    if isinstance(measured, BackendIdle) and restarts(measured):  # no age of its own was seen
        measured = None
    if isinstance(measured, BackendIdle) and measured.closings_s:
        return Timeout(closes_after_s=min(measured.closings_s), source=TimeoutSource.MEASURED)
    if isinstance(measured, BackendIdle) and measured.open_until_s is not None:
        return Timeout(closes_after_s=measured.open_until_s, source=TimeoutSource.MEASURED, at_least=True)
    declared = target.backend_keepalive
    setting, source = (
        (DEFAULT_KEEPALIVE_S, TimeoutSource.DEFAULT) if declared is None else (declared, TimeoutSource.DECLARED)
    )
    where = _where(target, KEEPALIVE)
    return Timeout(closes_after_s=setting + NODE_EXTRA_S, source=source, setting_s=setting, where=where)


def _where(target: Target, name: str) -> str:
    setting = target.setting(name)
    return setting.where if setting else ""
