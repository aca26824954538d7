"""CORS as the API server and its AI proxy routes do it: the API by the rules of npm's `cors`, the proxy by its own."""

from __future__ import annotations

import re

from btdiag.lab.http import Headers, Request, Response

APP_ORIGINS = ("https://www.braintrust.dev", "https://www.braintrustdata.com")
_PREVIEW = re.compile(r"https://[^/]+\.preview\.braintrust\.dev")
_PROXY_PREVIEW = re.compile(r"https://[^/]+-braintrustdata\.vercel\.app")

API_METHODS = "GET,PATCH,POST,PUT,DELETE,OPTIONS"
PROXY_METHODS = "GET,OPTIONS,POST"
API_HEADERS = (
    "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,x-bt-auth-token,x-bt-parent,x-bt-org-name,"
    "x-bt-project-id,x-bt-stream-fmt,x-bt-use-cache,x-bt-use-gateway,x-stainless-os,x-stainless-lang,"
    "x-stainless-package-version,x-stainless-runtime,x-stainless-runtime-version,x-stainless-arch"
)
API_EXPOSED = "x-bt-cursor,x-bt-found-existing,x-bt-found-existing-experiment,x-bt-span-id,x-bt-span-export"
MAX_AGE = "86400"


def allowed(origin: str, extra: tuple[str, ...]) -> bool:
    """Whether the API answers pages of the origin."""
    return origin in APP_ORIGINS or origin in extra or _PREVIEW.fullmatch(origin) is not None


def api_headers(request: Request, extra: tuple[str, ...]) -> Headers:
    """What the API adds to a response for the request's origin; nothing for an origin that it does not know."""
    origin = request.header("origin")
    if origin is not None and not allowed(origin, extra):
        return ()
    lead: Headers = (("Access-Control-Allow-Origin", origin), ("Vary", "Origin")) if origin is not None else ()
    return (
        *lead,
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", API_EXPOSED),
    )


def api_preflight(request: Request, extra: tuple[str, ...]) -> Response | None:
    """The API's answer to OPTIONS; None for an origin that it does not know: its OPTIONS is just another request."""
    headers = api_headers(request, extra)
    if not headers:
        return None
    return Response(
        status=204,
        headers=(
            *headers,
            ("Access-Control-Allow-Methods", API_METHODS),
            ("Access-Control-Allow-Headers", API_HEADERS),
            ("Access-Control-Max-Age", MAX_AGE),
        ),
    )


def proxy_headers(request: Request, extra: tuple[str, ...]) -> Headers | None:
    """What the AI proxy adds to a response; None for an origin that it refuses."""
    origin = request.header("origin")
    if origin is None:
        return ()
    if not (allowed(origin, extra) or _PROXY_PREVIEW.fullmatch(origin)):
        return None
    return (
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", PROXY_METHODS),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Max-Age", MAX_AGE),
        ("Vary", "Origin"),
    )


def proxy_preflight(request: Request, headers: Headers) -> Response:
    """The AI proxy's answer to OPTIONS: the asked headers echoed if it is a whole preflight, else a plain Allow."""
    asked = request.header("access-control-request-headers")
    whole = request.header("origin") and request.header("access-control-request-method") and asked
    if not (whole and asked):
        return Response(status=200, headers=(("Allow", "GET, HEAD, POST, OPTIONS"),))
    return Response(status=200, headers=(*headers, ("Access-Control-Allow-Headers", asked)))
