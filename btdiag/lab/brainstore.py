"""Brainstore's stand-in: the paths that its health checks ask."""

from __future__ import annotations

from btdiag.lab.backend import json_response, not_found
from btdiag.lab.http import Request, Response
from btdiag.lab.plan import BrainstoreRole
from btdiag.lab.rules import Visit
from btdiag.lab.server import Handler


async def answer(request: Request, _visit: Visit) -> Response:
    """The response to one request."""
    return respond(request, "1.1.32", latched=False)


def serving(role: BrainstoreRole) -> Handler:
    """The answers of one role's server."""

    async def handler(request: Request, _visit: Visit) -> Response:
        return respond(request, role.version, latched=role.latched)

    return handler


def respond(request: Request, version: str, *, latched: bool) -> Response:
    """What a server of this version says."""
    match request.path:
        case "/":
            return Response(status=200, headers=(("Content-Type", "text/plain"),), body=b"Brainstore is running")
        case "/status":
            return json_response(503, {"status": "unhealthy"}) if latched else json_response(200, {"status": "ok"})
        case "/version":
            return json_response(200, {"version": version})
        case _:
            return not_found(request)
