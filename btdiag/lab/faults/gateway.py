"""Faults of hops that change what passes: streams held back, answers kept, headers asked for no longer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from btdiag.lab.http import Body, Request, Response
from btdiag.lab.plan import LabPlan
from btdiag.lab.rules import Answer, Rule, Visit
from btdiag.lab.styles import vendor_page

MOST = 2**24  # bytes of a body


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusesWords(Rule):
    """A firewall: requests with one of the `agents` in User-Agent, one of the `words` in the URL, or a chunked body
    where `chunked` says so, are answered `status` in the vendor's `style`."""

    agents: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    chunked: bool = False
    status: int = 403
    style: str = "nginx"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the refusal."""
        agent, target = (request.header("user-agent") or "").lower(), request.target.lower()
        refused = any(one in agent for one in self.agents) or any(one in target for one in self.words)
        if refused or (self.chunked and request.body.chunked):
            return replace(vendor_page(self.style, self.status), closes=True)
        return request


@dataclass(frozen=True, slots=True, kw_only=True)
class HurriesUploads(Rule):
    """A request whose body takes longer than `seconds` to arrive is given up: 408 in the vendor's `style`."""

    seconds: float = 1.0
    style: str = "nginx"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request with its body read, or the page."""
        if not request.body.length:
            return request
        try:
            content = await asyncio.wait_for(request.body.read(MOST), self.seconds)
        except TimeoutError:
            return replace(vendor_page(self.style, 408), closes=True)
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return replace(request, body=Body(reader, length=len(content), chunked=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuffersAnswers(Rule):
    """An answer goes out only when all of it is there."""

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response in one piece."""
        if isinstance(response.body, bytes):
            return response
        return replace(response, body=b"".join([piece async for piece in response.body]))


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrowBuffer(Rule):
    """An answer whose headers have more than `size` bytes is given up: 502 in the vendor's `style`."""

    size: int = 2048
    style: str = "nginx"

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response, or the page."""
        length = sum(len(name) + len(value) + 4 for name, value in response.headers)
        return vendor_page(self.style, 502) if length > self.size else response


@dataclass(frozen=True, slots=True, kw_only=True)
class Caches(Rule):
    """The first answer to a path is given again to everybody, with its age in seconds."""

    age: int = 7

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the stored answer."""
        kept: Response | None = visit.memory.notes.get(f"cached {request.target}")
        return kept.setting("Age", str(self.age)) if kept is not None else request

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response, stored."""
        if isinstance(response.body, bytes):
            visit.memory.notes.setdefault(f"cached {request.target}", response)
        return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Mislabels(Rule):
    """What is not compressed is said to be so, to everybody who accepts that coding."""

    coding: str = "gzip"

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response with that label."""
        accepts = self.coding in (request.header("accept-encoding") or "")
        return response.setting("Content-Encoding", self.coding) if accepts else response


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodesSlashes(Rule):
    """Encoded slashes in paths are decoded on their way."""

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request for the decoded path."""
        path, mark, query = request.target.partition("?")
        return replace(request, target=path.replace("%2F", "/").replace("%2f", "/") + mark + query)


@dataclass(frozen=True, slots=True)
class Isolated:
    """The run is told that the API server itself must not be reachable from where it is, which in the lab it is."""

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which the target says so."""
        return replace(plan, told=replace(plan.told, isolated=True))


@dataclass(frozen=True, slots=True)
class Constrained:
    """SDKs are given the data plane itself as app URL."""

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan in which the target says so."""
        return replace(plan, told=replace(plan.told, constrained=True))
