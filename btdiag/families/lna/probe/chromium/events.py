"""What Chromium's developer tools say of a request: from their events to a fact. Pure.

Observed with Chromium 156: the Local Network Access issue is raised for requests that succeed as well, so only the
failure of a request tells that it was refused; preflights have ids of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from btdiag.families.lna.facts import REFUSED, LaunchKind, SeenRequest

Event: TypeAlias = tuple[str, dict[str, Any]]
"""The name of an event of the Chrome DevTools Protocol, and its parameters."""

TEXT_LIMIT = 300  # characters kept of any text that a server can choose
_ON_THE_ANSWER = {
    "AllowOriginMismatch",
    "InvalidAllowCredentials",
    "InvalidAllowOriginValue",
    "MissingAllowOriginHeader",
    "MultipleAllowOriginValues",
    "WildcardOriginNotAllowed",
}
"""The CORS errors that Chromium finds in the answer itself, so that there was one (CorsError in its protocol)."""


def _ids(events: Sequence[Event], url: str) -> set[str]:
    """The ids of the page's own requests to the URL, without the preflights that the browser made for them."""
    return {
        event["requestId"]
        for name, event in events
        if (name == "Network.requestWillBeSent" and event["request"]["url"] == url and event.get("type") != "Preflight")
        or (name == "Network.webSocketCreated" and event["url"] == url)
        if event.get("initiator", {}).get("type") != "preflight"
    }


def ended(events: Sequence[Event], url: str) -> bool:
    """Whether all events on the page's own request to the URL have come that will come.

    They come from two processes in no fixed order: what the network service says of an answer ("ExtraInfo", with the
    address space) may follow the page's last event on a busy machine.
    """
    last = (
        "Network.loadingFinished",
        "Network.loadingFailed",
        "Network.webSocketFrameError",
        "Network.webSocketHandshakeResponseReceived",
    )
    ids = _ids(events, url)
    own = [(name, event) for name, event in events if event.get("requestId") in ids]
    failed = _last(own, "Network.loadingFailed").get("corsErrorStatus", {}).get("corsError")
    answered = _last(own, "Network.responseReceived").get("hasExtraInfo") or failed in _ON_THE_ANSWER
    told = any(name == "Network.responseReceivedExtraInfo" for name, _ in own)
    return any(name in last for name, _ in own) and (told or not answered)


def read_events(
    kind: LaunchKind, answer: dict[str, Any], events: Sequence[Event], url: str, duration_s: float
) -> SeenRequest:
    """The request to the URL as the script and the tools together tell it."""
    ids = _ids(events, url)
    own = [(name, event) for name, event in events if event.get("requestId") in ids]
    received: dict[str, Any] = _last(own, "Network.responseReceived").get("response", {})
    failed = _last(own, "Network.loadingFailed")
    cors = failed.get("corsErrorStatus", {})
    socket_error = _last(own, "Network.webSocketFrameError").get("errorMessage", "")
    issues = [issue for issue in map(_cors_issue, events) if issue.get("request", {}).get("url") == url]
    state = _last(own, "Network.requestWillBeSentExtraInfo").get("clientSecurityState") or _of(
        issues, "clientSecurityState", {}
    )
    extra = _last(own, "Network.responseReceivedExtraInfo")
    space = extra.get("resourceIPAddressSpace") or _of(issues, "resourceIPAddressSpace", "")
    status = answer["status"] or received.get("status") or extra.get("statusCode")
    return SeenRequest(
        kind=kind,
        ok=bool(answer["ok"]) or (kind is LaunchKind.IMAGE and status is not None),  # what is no image is an answer too
        status=status,
        error=str(answer["error"])[:TEXT_LIMIT],
        net_error=str(failed.get("errorText") or _net_error(socket_error))[:TEXT_LIMIT],
        cors_error=str(cors.get("corsError", "")),
        cors_parameter=str(cors.get("failedParameter", ""))[:TEXT_LIMIT],
        blocked_reason=str(failed.get("blockedReason", "")),
        space=space.lower(),
        policy=str(state.get("localNetworkAccessRequestPolicy", "")),
        gated=any(issue.get("corsErrorStatus", {}).get("corsError") == REFUSED for issue in issues),
        address=str(received.get("remoteIPAddress", "")).strip("[]"),
        duration_s=round(duration_s, 4),
        preflight_status=_preflight_status(events, url),
        ended_at=_ended_at(own, url)[:TEXT_LIMIT],
    )


def _preflight_status(events: Sequence[Event], url: str) -> int | None:
    """What the server answered to the browser's own question before the request."""
    ids = {
        event["requestId"]
        for name, event in events
        if name == "Network.requestWillBeSent" and event["request"]["url"] == url
        if event.get("initiator", {}).get("type") == "preflight"
    }
    told = [event for name, event in events if event.get("requestId") in ids and name.startswith("Network.responseRec")]
    codes = [event.get("statusCode") or event.get("response", {}).get("status") for event in told]
    return next((int(code) for code in reversed(codes) if code), None)


def _ended_at(own: Sequence[Event], url: str) -> str:
    """Where redirects have led, without its query; "" where there were none."""
    last = str(_last(own, "Network.requestWillBeSent").get("request", {}).get("url", url))
    return "" if last == url else last.partition("?")[0]


def _last(events: Sequence[Event], name: str) -> dict[str, Any]:
    return next((event for kind, event in reversed(events) if kind == name), {})


def _cors_issue(entry: Event) -> dict[str, Any]:
    details: dict[str, Any] = entry[1].get("issue", {}).get("details", {}).get("corsIssueDetails", {})
    return details if entry[0] == "Audits.issueAdded" else {}


def _of(issues: Sequence[dict[str, Any]], key: str, default: Any) -> Any:
    return next((issue[key] for issue in issues if issue.get(key)), default)


def _net_error(message: str) -> str:
    """The code in "Error in connection establishment: net::ERR_..."."""
    return message[message.find("net::") :] if "net::" in message else message


def page_space(events: Sequence[Event]) -> str:
    """The page's own address space; "" if no event tells."""
    states = [_cors_issue(entry).get("clientSecurityState") or entry[1].get("clientSecurityState") for entry in events]
    return next((str(state["initiatorIPAddressSpace"]).lower() for state in states if state), "")
