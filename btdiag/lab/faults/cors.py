"""Faults in CORS that need to look at the request: lists that lack a name, echoes, patterns with a hole, own pages."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace

from btdiag.lab.http import Request, Response, header, without
from btdiag.lab.rules import Answer, Raw, Rule, Visit
from btdiag.lab.styles import vendor_page

ORIGIN = "Access-Control-Allow-Origin"
CREDENTIALS = "Access-Control-Allow-Credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class LacksNames(Rule):
    """Some names are missing from a list header of the response, `Access-Control-Allow-Headers` unless told."""

    names: tuple[str, ...]
    field: str = "Access-Control-Allow-Headers"

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response with a shorter list, as it is when it has none."""
        value = header(response.headers, self.field.lower())
        if value is None:
            return response
        kept = [name for name in map(str.strip, value.split(",")) if name.lower() not in self.names]
        return response.setting(self.field, ",".join(kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusesNames(Rule):
    """A preflight that asks for one of the header names gets the vendor's page: a firewall."""

    names: tuple[str, ...]
    status: int = 403
    style: str = "cloudflare"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the refusal."""
        asked = (request.header("access-control-request-headers") or "").lower().split(",")
        return vendor_page(self.style, self.status) if set(self.names) & set(map(str.strip, asked)) else request


@dataclass(frozen=True, slots=True, kw_only=True)
class HangsUp(Rule):
    """The connection is closed in place of an answer."""

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """Nothing at all."""

        async def nothing(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
            return

        return Raw(nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcomes(Rule):
    """Every origin in which the pattern is found (anywhere) is echoed, with or without credentials."""

    pattern: str
    credentials: bool = True

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response that lets the origin in."""
        origin = request.header("origin")
        if origin is None or re.search(self.pattern, origin) is None:
            return response
        open_to_all = replace(response, headers=without(response.headers, (ORIGIN.lower(), CREDENTIALS.lower())))
        open_to_all = open_to_all.adding((ORIGIN, origin))
        return open_to_all.adding((CREDENTIALS, "true")) if self.credentials else open_to_all


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridesErrors(Rule):
    """The gateway shows its own page in place of the API's errors (4xx and 5xx)."""

    style: str = "nginx"

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The vendor's page for an error, anything else as it is."""
        return vendor_page(self.style, response.status) if response.status >= 400 else response


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusesHeaders(Rule):
    """A request that carries a header whose name begins so, with this value if one is given, gets the vendor's page."""

    prefix: str
    value: str = ""
    status: int = 403
    style: str = "nginx"

    async def before(self, request: Request, visit: Visit) -> Request | Answer:
        """The request, or the refusal."""
        carried = [value for name, value in request.headers if name.lower().startswith(self.prefix)]
        refused = self.value in carried if self.value else bool(carried)
        return vendor_page(self.style, self.status) if refused else request


@dataclass(frozen=True, slots=True, kw_only=True)
class ServesOthersAnswers(Rule):
    """A shared cache gives everybody the answer that another origin got (`allows`; "": nobody's), unless the query is
    one that it has not seen."""

    allows: str = ""

    async def after(self, request: Request, response: Response, visit: Visit) -> Response:
        """The response from the cache, or the API's own."""
        if "?" in request.target or response.status != 200:
            return response
        stored = replace(response, headers=without(response.headers, (ORIGIN.lower(), CREDENTIALS.lower())))
        stored = stored.adding((ORIGIN, self.allows)) if self.allows else stored
        return stored.adding(("Age", "37"), ("X-Cache", "Hit from cache"))
