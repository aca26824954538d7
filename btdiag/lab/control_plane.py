"""The control plane's stand-in (the web app's host): its page, login and the few calls that SDKs make."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.lab.backend import is_authorized, json_response
from btdiag.lab.http import Request, Response
from btdiag.lab.rules import Visit

HTML = ("Content-Type", "text/html; charset=utf-8")
PAGE = b"<!DOCTYPE html><html><head><title>Braintrust</title></head><body><div id=root></div></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabControlPlane:
    """Knows one organisation, whose data plane is at `api_url`."""

    api_url: str

    async def answer(self, request: Request, _visit: Visit) -> Response:
        """The response to one request, as the platform that hosts it signs it."""
        await request.body.read(1024 * 1024)
        return self._route(request).adding(
            ("Server", "Vercel"), ("x-vercel-id", "fra1::lab00-1700000000000-000000000000")
        )

    def _route(self, request: Request) -> Response:
        if not request.path.startswith("/api/"):
            return Response(status=200, headers=(HTML,), body=PAGE)
        if not is_authorized(request):
            return json_response(401, {"error": "Invalid API key"})
        if request.path == "/api/apikey/login" and request.method == "POST":
            return json_response(200, {"org_info": [self._organisation()]})
        if request.path == "/api/project" and request.method == "GET":
            return json_response(200, [])
        return json_response(404, {"error": "Not Found"})

    def _organisation(self) -> dict[str, object]:
        return {
            "id": "00000000-0000-4000-8000-000000000001",
            "name": "lab",
            "api_url": self.api_url,
            "proxy_url": self.api_url,
            "realtime_url": "wss://realtime.lab.example",
            "is_universal_api": False,
            "git_metadata": None,
        }
