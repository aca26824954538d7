"""Faults in HTTP at any hop: other answers, other headers, delays, logins, limits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from email.utils import formatdate

from btdiag.lab.http import Headers as HeaderList
from btdiag.lab.http import Request, Response, without
from btdiag.lab.plan import LabPlan
from btdiag.lab.rules import Answer, Rule, Visit
from btdiag.lab.styles import vendor_page


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersWith(Rule):
    """The hop answers itself: with the page of a vendor (`style`), or with `body` as `content_type`."""

    status: int
    style: str | None = None
    body: str = ""
    content_type: str = "text/plain"
    headers: HeaderList = ()

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """That answer."""
        if self.style is not None:
            return vendor_page(self.style, self.status).adding(*self.headers)
        headers = (("Content-Type", self.content_type), *self.headers)
        return Response(status=self.status, headers=headers, body=self.body.encode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Headers(Rule):
    """Response headers are dropped (names in lower case), then set in place of others, then added beside them.

    `statuses` limits it to some statuses, given as their first digit (4 for 4xx); none given: all.
    """

    drop: tuple[str, ...] = ()
    set: HeaderList = ()
    add: HeaderList = ()
    statuses: tuple[int, ...] = ()

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response with other headers."""
        if self.statuses and response.status // 100 not in self.statuses:
            return response
        response = replace(response, headers=without(response.headers, self.drop))
        for name, value in self.set:
            response = response.setting(name, value)
        return response.adding(*self.add)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeaders(Rule):
    """Request headers are dropped on their way (names in lower case), then added."""

    drop: tuple[str, ...] = ()
    add: HeaderList = ()

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request with other headers."""
        return replace(request, headers=(*without(request.headers, self.drop), *self.add))


@dataclass(frozen=True, slots=True, kw_only=True)
class WantsHttps(Rule):
    """The hop redirects to https what X-Forwarded-Proto does not say to have come that way."""

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the redirect."""
        if request.header("x-forwarded-proto") == "https":
            return request
        return Response(status=301, headers=(("Location", f"https://{request.header('host')}{request.target}"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays(Rule):
    """The first byte of the response comes `seconds` late."""

    seconds: float

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The same response, later."""
        await asyncio.sleep(self.seconds)
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class SkewsClock(Rule):
    """The hop's clock is `seconds` ahead, as its Date header shows."""

    seconds: float

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response with another date."""
        return response.setting("Date", formatdate(time.time() + self.seconds, usegmt=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Latches(Rule):
    """The first `good` requests are served; from then on the hop answers `status` for ever, recovered or not."""

    good: int = 0
    status: int = 503

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the latched failure."""
        if visit.memory.count(self, "") <= self.good:
            return request
        headers = (("Content-Type", "application/json"),)
        return Response(status=self.status, headers=headers, body=b'{"status":"unhealthy"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits(Rule):
    """Beyond `allowed` requests in `window` seconds the hop answers 429 with Retry-After."""

    allowed: int = 0
    window: float = 60.0
    retry_after: int = 30
    style: str = "nginx"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the 429."""
        now = time.monotonic()
        times: list[float] = visit.memory.notes.setdefault(f"rate {id(self)}", [])
        times[:] = [moment for moment in times if moment > now - self.window]
        if len(times) < self.allowed:
            times.append(now)
            return request
        return vendor_page(self.style, 429).adding(("Retry-After", str(self.retry_after)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsAtOnce(Rule):
    """While `allowed` requests are under way the hop answers others `status` in the vendor's `style`, as nginx's
    limit_conn; each address counts for itself. A request is under way for `lasts` seconds at least."""

    allowed: int = 2
    status: int = 503
    lasts: float = 0.03
    style: str = "nginx"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the refusal."""
        under_way: list[Request] = visit.memory.notes.setdefault(f"at once {id(self)} {visit.address}", [])
        if len(under_way) >= self.allowed:
            return vendor_page(self.style, self.status)
        under_way.append(request)
        try:
            await asyncio.sleep(self.lasts)
        finally:
            under_way.remove(request)
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSizes(Rule):
    """Bounds of a gateway, in bytes: a longer URL is answered 414, more headers 431, a larger body 413, all in the
    vendor's `style`; other methods than `allowed_methods`, if given, 405."""

    url: int | None = None
    head: int | None = None
    body: int | None = None
    allowed_methods: tuple[str, ...] = ()
    style: str = "nginx"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the refusal."""
        if self.url is not None and len(request.target) > self.url:
            return vendor_page(self.style, 414)
        size = sum(len(name) + len(value) + 4 for name, value in request.headers)
        if self.head is not None and size > self.head:
            return vendor_page(self.style, 431)
        if self.allowed_methods and request.method not in self.allowed_methods:
            return vendor_page(self.style, 405).adding(("Allow", ", ".join(self.allowed_methods)))
        return self._within_body_limit(request)

    def _within_body_limit(self, request: Request) -> Request | Answer:
        body = request.body
        if self.body is None:
            return request
        if body.length is not None and body.length > self.body:
            return replace(vendor_page(self.style, 413), closes=True)
        body.limit = self.body
        return request


@dataclass(frozen=True, slots=True)
class BrainstoreDown:
    """Brainstore's port refuses connections."""

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan without Brainstore."""
        return replace(plan, brainstore_down=True)
