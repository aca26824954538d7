"""Paths that hops like to rewrite, and the classes of routes that they send to backends of their own."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.exchange import Exchange

DOUBLED, TRAILING, ENCODED = "//version", "/version/", "/v1%2Fproject"
PATHS = (DOUBLED, TRAILING, ENCODED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathAnswers:
    """What each of PATHS is answered, in their order."""

    answers: tuple[tuple[str, Exchange], ...]

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The answers alone."""
        return tuple(seen for _, seen in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteClass:
    """Routes that one rule of a load balancer covers, and the harmless request that stands for them: without a key,
    with an empty JSON object where there is a body, so that nothing can be read or written."""

    name: str
    method: str
    path: str


ROUTE_CLASSES = (
    RouteClass(name="ingest", method="POST", path="/logs3"),
    RouteClass(name="OpenTelemetry", method="POST", path="/otel/v1/traces"),
    RouteClass(name="attachments", method="POST", path="/attachment"),
    RouteClass(name="queries", method="POST", path="/btql"),
    RouteClass(name="REST API", method="GET", path="/v1/project"),
    RouteClass(name="AI proxy", method="POST", path="/v1/proxy/chat/completions"),
    RouteClass(name="evals", method="POST", path="/v1/eval"),
    RouteClass(name="functions", method="POST", path="/function/invoke"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAnswers:
    """What each class answered, in the order of ROUTE_CLASSES; `unknown` is GET of a path that does not exist."""

    answers: tuple[tuple[RouteClass, Exchange], ...]
    unknown: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreAnswers:
    """What some of the classes answered elsewhere, or later."""

    answers: tuple[tuple[RouteClass, Exchange], ...]
