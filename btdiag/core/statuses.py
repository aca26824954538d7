"""What a bad answer means: which cause it tells of, from its status, its sender, its body or how it broke off. What is
said of each cause stands in core/causes.py, and of two hops that do not understand each other in core/hops.py."""

from __future__ import annotations

from dataclasses import dataclass

from btdiag.core.causes import SOURCES, STORIES, Cause
from btdiag.core.exchange import Exchange, Phase, Trouble
from btdiag.core.finding import HopName, Owner, Remedy, Snippet
from btdiag.core.hops import HopFault, advice, fault_of, is_ours, remedy
from btdiag.core.sender import (
    Confidence,
    Page,
    Redirect,
    Sender,
    has_control_characters,
    page,
    redirect,
    retry_after,
    sender,
)

__all__ = ["SOURCES", "StatusExplanation", "explain_answer", "explain_status", "first_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusExplanation:
    """The likely story behind a bad answer. `cause` continues "GET / was answered 502: ..."; `kind` is the cause in
    the tables."""

    kind: Cause | HopFault
    cause: str
    hop: HopName
    owner: Owner
    remedy: Remedy
    sender: Sender | None = None


def explain_answer(seen: Exchange) -> StatusExplanation:
    """The likely cause of an exchange that did not give what it should: a failure, a redirect, a page, a status."""
    if seen.failure is not None:
        return _failure(seen)
    leads = redirect(seen)
    if leads is not None:
        return _redirected(seen, leads)
    return explain_status(seen)


def explain_status(seen: Exchange) -> StatusExplanation:
    """The likely cause of a status, or of an HTML page where the API was expected."""
    who = sender(seen)
    status = seen.status or 0
    if 200 <= status < 400:
        return _page(seen, who)
    if who.hop is HopName.PROXY:
        return _blocked_on_the_way(who)
    if who.hop is HopName.CONTROL_PLANE:
        return _told(Cause.WEB_APP_ANSWERS, who, why=who.why)
    if 520 <= status <= 530:
        what = _CLOUDFLARE.get(status, "could not get an answer from the origin")
        return _told(Cause.CLOUDFLARE_ORIGIN, who, what=what)
    fault = fault_of(seen)
    if fault is not None:
        return _between_hops(fault, seen, who)
    if status == 401:
        scheme = (seen.header("www-authenticate") or "").partition(" ")[0]
        return _told(_by_status(status, who), who, what=f" ({scheme} authentication)" if scheme else "")
    when = retry_after(seen)
    return _told(_by_status(status, who), who, when=f" {when}" if when else "")


def _told(kind: Cause, by: Sender | None, **words: str) -> StatusExplanation:
    """The cause's story, its words filled in, the snippet of the product that answered first."""
    story, filled = STORIES[kind], {"who": by.words if by else "", **words}

    def fill(text: str) -> str:
        for name, value in filled.items():
            text = text.replace("{" + name + "}", value)
        return text

    return StatusExplanation(
        kind=kind,
        cause=fill(story.cause),
        hop=story.hop,
        owner=story.owner,
        remedy=Remedy(text=fill(story.text), action=fill(story.action), snippets=first_for(by, story.snippets)),
        sender=by,
    )


def first_for(who: Sender | None, snippets: tuple[Snippet, ...]) -> tuple[Snippet, ...]:
    """Those of the product that answered first, then those of what it came through."""
    names = [name.lower() for name in ((who.name, *who.passed) if who else ())]

    def place(one: Snippet) -> int:
        product = one.product.lower()
        return next((number for number, name in enumerate(names) if product in name), len(names))

    return tuple(sorted(snippets, key=place))


def _between_hops(fault: HopFault, seen: Exchange, who: Sender) -> StatusExplanation:
    """Two hops that do not understand each other; where the first of them is this request itself, its URL is wrong."""
    if is_ours(fault, seen, who):
        return _told(Cause.OUR_PLAIN_HTTP, who)
    said = advice(fault, who)
    return StatusExplanation(
        kind=fault,
        cause=said.cause,
        hop=HopName.LOAD_BALANCER,
        owner=Owner.LOAD_BALANCER,
        remedy=remedy(said),
        sender=who,
    )


def _from_api(who: Sender) -> bool:
    return who.hop is HopName.API and who.confidence is not Confidence.UNKNOWN


def _blocked_on_the_way(who: Sender) -> StatusExplanation:
    looks = "" if who.confidence is Confidence.CERTAIN else "what looks like "
    return _told(Cause.FILTER_ON_THE_WAY, who, who=f"{looks}{who.name}", why=who.why)


_BY_STATUS: dict[int, tuple[Cause, Cause]] = {
    401: (Cause.API_WANTS_LOGIN, Cause.LOGIN_IN_FRONT),
    403: (Cause.API_REFUSES, Cause.FIREWALL_REFUSES),
    404: (Cause.PATH_UNKNOWN, Cause.NO_RULE),
    421: (Cause.OTHER_ORGANISATION, Cause.HOST_UNKNOWN),
    429: (Cause.API_LIMITS, Cause.GATEWAY_LIMITS),
    502: (Cause.NO_USABLE_ANSWER, Cause.NO_USABLE_ANSWER),
    503: (Cause.API_UNAVAILABLE, Cause.NO_TARGET),
    504: (Cause.WAITED_IN_VAIN, Cause.WAITED_IN_VAIN),
}
"""What a status means when the API says it, and when a hop before it does."""
_UNSIGNED_IS_API = frozenset({404, 421})


def _by_status(status: int, who: Sender) -> Cause:
    """The cause of a status that its body gives no better one for."""
    unknown = who.confidence is Confidence.UNKNOWN
    if status == 403 and who.name == "AWS API Gateway":
        return Cause.NO_SUCH_ROUTE_IN_LIST
    if status == 403 and who.name in {"Amazon S3", "object store (S3 protocol)"}:
        return Cause.OBJECT_STORE_ANSWERS
    if status in _BY_STATUS:
        of_api, of_gateway = _BY_STATUS[status]
        return of_api if _from_api(who) or (unknown and status in _UNSIGNED_IS_API) else of_gateway
    if status >= 500:
        return Cause.API_FAILED if _from_api(who) or unknown else Cause.GATEWAY_FAILED
    if unknown:
        return Cause.UNKNOWN_REJECTS
    return Cause.API_REJECTS if _from_api(who) else Cause.GATEWAY_REJECTS


_CLOUDFLARE = {
    520: "got an empty or unexpected answer from the origin",
    521: "was refused a connection by the origin",
    522: "timed out while connecting to the origin",
    523: "has no route to the origin",
    524: "was connected, but the origin took too long to answer",
    525: "could not complete the TLS handshake with the origin",
    526: "does not trust the origin's certificate",
    530: "cannot resolve or reach the origin",
}


def _page(seen: Exchange, who: Sender) -> StatusExplanation:
    """A successful answer that is a web page."""
    kind = page(seen)
    if who.hop is HopName.PROXY:
        return _blocked_on_the_way(who)
    if kind is Page.PORTAL:
        return _told(Cause.PORTAL, who, what="a captive portal answers in place of the target", why="in a browser")
    if who.hop is HopName.CONTROL_PLANE:
        return _told(Cause.WEB_APP_ANSWERS, who, why=who.why)
    if kind is Page.LOGIN:
        return _told(Cause.LOGIN_PAGE, who)
    if has_control_characters(seen):
        return _told(Cause.CONTROL_CHARACTERS, who)
    found = Cause.BLOCK_PAGE if kind in {Page.BLOCK, Page.CHALLENGE} else Cause.OTHER_PAGE
    return _told(found, who, what=kind or "something that is no API")


def _redirected(seen: Exchange, leads: Redirect) -> StatusExplanation:
    who = sender(seen)
    if who.hop is HopName.PROXY:
        return _blocked_on_the_way(who)
    if seen.tls_verified is False and not leads.same_host:
        cause = f"something that cannot prove to be the target redirects to {leads.url}, as captive portals do"
        return _told(Cause.PORTAL, who, what=cause, why=f"at {leads.url}")
    if leads.to_itself:
        return _told(Cause.COOKIE_CHECK if seen.header("set-cookie") else Cause.REDIRECT_TO_ITSELF, who)
    if leads.to_login:
        return _told(Cause.LOGIN_REDIRECT, who, url=leads.url)
    if leads.to_https:
        return _told(Cause.REDIRECT_TO_HTTPS, who, url=leads.url)
    return _told(Cause.REDIRECT_ELSEWHERE, who, url=leads.url, what="place" if leads.same_host else "host")


_FAILURES: dict[Trouble, Cause] = {
    Trouble.TIMEOUT: Cause.SILENT,
    Trouble.RESET: Cause.RESET,
    Trouble.CLOSED: Cause.CLOSED,
    Trouble.PROTOCOL: Cause.NO_HTTP,
    Trouble.TOO_LARGE: Cause.ENDLESS,
    Trouble.ALERT: Cause.TLS_ALERT,
}


def _failure(seen: Exchange) -> StatusExplanation:
    failure = seen.failure
    assert failure is not None
    if failure.phase is Phase.PROXY:
        return _told(Cause.PROXY_FAILS, None, what=failure.detail)
    if failure.phase in {Phase.TCP, Phase.TLS}:
        return _told(Cause.NO_CONNECTION, None, what=f"{failure.phase}: {failure.detail}")
    found = _told(_FAILURES.get(failure.trouble, Cause.BROKE_OFF), None)
    return StatusExplanation(
        kind=found.kind,
        cause=f"{found.cause} ({failure.detail})",
        hop=found.hop,
        owner=found.owner,
        remedy=found.remedy,
    )
