"""Where a simple request is sent on to, and what `fetch` does there (Fetch, "HTTP-redirect fetch")."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from btdiag.core.urls import port_of
from btdiag.families.cors.facts import CorsTrial
from btdiag.families.cors.fetch import cors_check
from btdiag.families.cors.fetch.preflight import REDIRECT_STATUSES


def location(trial: CorsTrial) -> str | None:
    """The whole URL that a simple request is redirected to by an answer that its page may see; None for no redirect."""
    seen = trial.exchange
    value = seen.header("location")
    if trial.preflight or seen.status not in REDIRECT_STATUSES or not value or len(value) > 2000:
        return None
    if cors_check(trial.page.origin, False, seen.headers) is not None:
        return None
    try:
        url = urljoin(seen.url, value)
        return url if urlsplit(url).hostname and port_of(urlsplit(url)) else None
    except ValueError:
        return None


def redirected_within(trial: CorsTrial) -> str | None:
    """The path (with its query) that the redirect leads to, where scheme, host and port stay the same."""
    url = location(trial)
    base = trial.exchange.url.removesuffix(trial.path)
    if url is None or not url.startswith(f"{base}/"):
        return None
    return url.partition("#")[0].removeprefix(base)


def to_plain_http(trial: CorsTrial) -> str | None:
    """The URL, where a redirect leads from https to http: browsers block that as mixed content."""
    url = location(trial)
    leads = url is not None and urlsplit(url).scheme == "http" and urlsplit(trial.exchange.url).scheme == "https"
    return url if leads else None
