"""Local Network Access: may the web app's page reach a target on a private network, and are users asked for it?"""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured
from btdiag.core.resolution import Resolution
from btdiag.core.target import Target
from btdiag.families.lna.facts import BrowserSurvey, CalledHost
from btdiag.families.lna.judge import address_space, page, web_app
from btdiag.families.lna.judge.reading import where_guarded


def check_web_app_reaches_target(
    page_places: tuple[CalledHost, ...], browser_survey: BrowserSurvey | NotMeasured, target: Target
) -> Finding:
    """The web app's page in a real browser gets its answers from the target, once the user has clicked Allow.

    Since Chrome 142 a page of a public site reaches a private address only with the user's permission. Without it the
    web app says no more than "Failed to fetch", as it does for a CORS, TLS or DNS fault, and after one click on Block
    it says so for ever, without a question.

    Measured: a page of the web app's origin, made up locally, fetches GET /version simply, with a preflight and with
    credentials in an installed Chrome, Edge or Chromium: in a new profile, after Allow, and with checks that only warn,
    which shows what lies beneath a refusal. With --browser-profile, the decisions stored in that profile are read.

    Remedy: take the origin out of the policies that block it, or undo the stored Block in the site's settings.

    Sources: https://wicg.github.io/local-network-access/; https://developer.chrome.com/blog/local-network-access
    """
    return conclude(
        where_guarded(
            page_places, browser_survey, lambda seen: web_app.web_app_reaches_target(seen, target), target.host
        )
    )


def check_no_prompt_needed(
    page_places: tuple[CalledHost, ...], browser_survey: BrowserSurvey | NotMeasured, target: Target
) -> Finding:
    """Users of the web app are not asked for access to their local network.

    The question comes as a surprise, in the name of www.braintrust.dev, and whoever clicks Block has a web app that
    does not work. Chrome and Edge ask since version 142, for local networks and for this device apart since 145, and
    for WebSocket connections too since 147; older ones ask nothing.

    Measured: the permission's state in a new profile before the first request, and what becomes of that request. A
    browser without a window refuses at once where one with a window would ask; --headed shows the real question.

    Remedy: tell users to click Allow, or grant it beforehand with the policy LocalNetworkAccessAllowedForUrls (from
    Chrome 146 on also LocalNetworkAllowedForUrls and LoopbackNetworkAllowedForUrls), or use a public address.

    Sources: https://wicg.github.io/local-network-access/;
    https://chromeenterprise.google/policies/#LocalNetworkAccessAllowedForUrls
    """
    return conclude(
        where_guarded(page_places, browser_survey, lambda seen: web_app.no_prompt_needed(seen, target), target.host)
    )


def check_page_context_allows(
    page_places: tuple[CalledHost, ...], browser_survey: BrowserSurvey | NotMeasured, target: Target
) -> Finding:
    """The page that calls the target may ask for local networks: it is secure, and nothing above it forbids that.

    A page without https, one in another site's frame without the right allow attribute, or one with a
    Permissions-Policy header against it is refused without a question, whatever its users or their policies say.

    Measured: the page's secure context and permissions policy, the permission's state before the first request, and the
    same page in another site's frame with and without allow="local-network-access".

    Remedy: serve the web app over https, open it in a tab of its own, or delegate the permission to the frame.

    Sources: https://wicg.github.io/local-network-access/; https://www.w3.org/TR/permissions-policy/
    """
    by_rule = page.context_by_rule(page_places, target) if isinstance(browser_survey, NotMeasured) else None
    return conclude(
        by_rule
        or where_guarded(page_places, browser_survey, lambda seen: page.page_context_allows(seen, target), target.host)
    )


def check_address_space_is_stable(
    page_places: tuple[CalledHost, ...],
    browser_survey: BrowserSurvey | NotMeasured,
    resolution: Resolution,
    target: Target,
) -> Finding:
    """All users meet the target in the same address space.

    Browsers decide by the address that is connected to. A name with public and private addresses, or with different
    ones from different resolvers, lets the web app work for some users and ask, or fail, for others.

    Measured: the address space of every address that any resolver of the target gives, as Chromium classifies it, and
    the address space that the browser reports for the address it used.

    Remedy: publish one kind of address for the name, and serve the other from a zone of its own (split horizon).

    Sources: https://wicg.github.io/local-network-access/
    """
    return conclude(
        where_guarded(
            page_places,
            browser_survey,
            lambda seen: address_space.address_space_is_stable(seen, resolution, target, page_places),
            target.host,
        )
    )
