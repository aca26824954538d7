"""Brainstore's stand-in: the paths that its health checks ask."""

from __future__ import annotations

from btdiag.lab.backend import json_response, not_found
from btdiag.lab.http import Request, Response
from btdiag.lab.rules import Visit


async def answer(request: Request, _visit: Visit) -> Response:
    """The response to one request."""
    match request.path:
        case "/":
            return Response(status=200, headers=(("Content-Type", "text/plain"),), body=b"Brainstore is running")
        case "/status":
            return json_response(200, {"status": "ok"})
        case "/version":
            return json_response(200, {"version": "1.1.32"})
        case _:
            return not_found(request)
