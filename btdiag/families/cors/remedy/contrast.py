"""What to say where a contrast named the cause: a rule on something that browsers send, a cache, a lost scheme."""

from __future__ import annotations

from collections.abc import Sequence

from btdiag.core.finding import Snippet
from btdiag.families.cors.contrast import PRODUCT_HEADERS, SDK_HEADERS, Culprit, culprit
from btdiag.families.cors.facts import CorsSurvey, Group
from btdiag.families.cors.problems import Problem
from btdiag.families.cors.remedy import snippets
from btdiag.families.cors.remedy.advice import Advice, speaker

_RULES = {
    Group.ORIGIN: "a rule that refuses requests of other sites (a CSRF guard)",
    Group.REFERER: "a rule that refuses links from other sites (hotlink protection)",
    Group.SEC_FETCH: "a rule that refuses requests of other sites by what browsers say of them (a CSRF guard)",
    Group.LANGUAGE: "a rule on the language",
    Group.PRODUCT: "a rule that refuses request headers it does not know",
    Group.SDK: "a rule that refuses request headers it does not know",
    Group.BODY: "a rule on the type of the body",
    Group.HINTS: "a rule on client hints",
    Group.ENCODINGS: "a compressing hop that spoils its answer",
    Group.KEY: "a rule on Authorization",
    Group.VERSION: "the gateway's HTTP/2 side",
}


_NAMES = {
    Group.LANGUAGE: ("Accept-Language",),
    Group.BODY: ("Content-Type",),
    Group.HINTS: ("sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform"),
    Group.PRODUCT: tuple(name for name, _ in PRODUCT_HEADERS),
    Group.SDK: tuple(name for name, _ in SDK_HEADERS),
}
"""The headers of a group, for a rule that lists them."""


def named(guilty: Culprit) -> str:
    """The header at fault where it is one, else the group."""
    return ", ".join(guilty.names[:3]) if guilty.names else guilty.group.value


def request_headers(problem: Problem, _: Sequence[str], survey: CorsSurvey) -> Advice:
    """A rule on something that browsers send with every call."""
    guilty = culprit(survey)
    if guilty is None:
        return Advice(what="a rule on what browsers send", text="Find the rule in the gateway and leave the API out.")
    what = named(guilty)
    where = "over HTTP/1.1" if guilty.group is Group.VERSION else f"without {what}"
    rule = _RULES[guilty.group]
    return Advice(
        what=f"the same request passes {where}, tried {guilty.n} times each: {rule} in the gateway "
        f"({speaker(problem)})",
        text=f"Find {rule} in the gateway or its firewall and leave the API's host out of it: the web app calls from "
        f"another site, and its requests carry {what} by design.",
        snippets=_rule_spares_the_api(guilty, problem.trial.page.origin),
    )


def cached(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    """A cache serves an answer that was made for somebody else."""
    return Advice(
        what="the same request passes with a query that no cache has seen, so a cache on the way serves an answer that "
        f"was made for another origin, or for none ({speaker(problem)})",
        text="Keep the API's paths out of shared caches (or let the cache tell answers apart by Origin), empty the "
        "cache, and send Vary: Origin.",
        snippets=snippets.caches_keep_apart(),
    )


def to_http(problem: Problem, _: Sequence[str], __: CorsSurvey) -> Advice:
    """The API takes the call for one over plain http, as the hop in front of it does not say otherwise."""
    return Advice(
        what=f"an answer redirects to {problem.refusal.parameter}, which browsers block as mixed content: who wrote it "
        f"({speaker(problem)}) takes the call for one over plain http",
        text="Let the hop that ends TLS say X-Forwarded-Proto: https, and let every hop behind it pass that on.",
        snippets=(Snippet(product="nginx", code="proxy_set_header X-Forwarded-Proto https;"),),
    )


def _rule_spares_the_api(guilty: Culprit, origin: str) -> tuple[Snippet, ...]:
    """A rule on what browsers send leaves the web app's calls alone."""
    if guilty.group is Group.REFERER:
        host = origin.partition("://")[2].partition(":")[0]
        return (Snippet(product="nginx (valid_referers)", code=f"valid_referers none server_names {host};"),)
    if guilty.group in (Group.SEC_FETCH, Group.ORIGIN):
        return (
            Snippet(
                product="nginx (the rule that tells sites apart)",
                code="\n".join(
                    (
                        "# in http {}:",
                        "map $http_origin $foreign_site {",
                        "    default 1;",
                        '    "" 0;',
                        f"    {origin} 0;",
                        "}",
                        "# in the location, in place of the rule on Sec-Fetch-Site or Origin:",
                        "if ($foreign_site) { return 403; }",
                    )
                ),
            ),
        )
    names = guilty.names or _NAMES.get(guilty.group, ())
    if not names:
        return ()
    targets = ",".join(f"!REQUEST_HEADERS:{name}" for name in names)
    return (
        Snippet(
            product="AWS WAF",
            code=f"in the rule that blocks: exclude the headers {', '.join(names)} from inspection",
        ),
        Snippet(product="ModSecurity (CRS)", code=f'SecRuleUpdateTargetById <rule id> "{targets}"'),
    )
