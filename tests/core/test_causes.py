"""The table of causes: each names what to change, at whom, and shows the recognised product's setting first."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from btdiag.core.causes import STORIES, Cause
from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import HopName, Owner, Snippet
from btdiag.core.hops import ADVICE, HopFault
from btdiag.core.signatures import MAKERS
from btdiag.core.statuses import explain_answer
from btdiag.report.headline import ACTION_LENGTH, shortened
from tests import factories
from tests.support.pasting import faults, shell_lines

ENVOY = "upstream connect error or disconnect/reset before headers. reset reason: "
NGINX = "<center><h1>x</h1></center>\r\n<hr><center>nginx</center>"
HAPROXY = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>\n"
CHANGES = (
    "Add|Allow|Ask|Change|Compare|Correct|Do not|Exempt|Find|Give|Let|Log in|Mend|Pass|Point|Repeat|Route|Send|Set|"
    "Start|Take|Upgrade|Use|Wait"
)
"""What a remedy begins with: something that is done; to read a log is not to change anything."""
KNOWN = {"who", "url", "when", "what", "why"}
OWNERS = {
    HopName.API: {Owner.API},
    HopName.LOAD_BALANCER: {Owner.LOAD_BALANCER},
    HopName.NETWORK: {Owner.NETWORK},
    HopName.PROXY: {Owner.PROXY},
}


def answer(status: int, body: str = "", *, url: str = "https://api.example.com/v1/x", **headers: str) -> Exchange:
    return factories.exchange(url=url, status=status, body=body, headers=factories.named(headers))


def broken(phase: Phase, trouble: Trouble) -> Exchange:
    failure = Failure(phase=phase, trouble=trouble, detail="what the system said")
    return factories.exchange(url="https://api.example.com/", status=None, failure=failure)


EXAMPLES: dict[Cause, Exchange] = {
    Cause.FILTER_ON_THE_WAY: answer(403, X_Squid_Error="ERR 0"),
    Cause.WEB_APP_ANSWERS: answer(404, X_Vercel_Id="x"),
    Cause.OUR_PLAIN_HTTP: answer(400, "The plain HTTP request was sent to HTTPS port", url="http://a.example/"),
    Cause.API_WANTS_LOGIN: answer(401, "{}"),
    Cause.LOGIN_IN_FRONT: answer(401, NGINX, WWW_Authenticate="Basic realm=x"),
    Cause.NO_SUCH_ROUTE_IN_LIST: answer(403, '{"message":"Missing Authentication Token"}'),
    Cause.OBJECT_STORE_ANSWERS: answer(403, "<Error><Code>AccessDenied</Code></Error>"),
    Cause.API_REFUSES: answer(403, "{}"),
    Cause.FIREWALL_REFUSES: answer(403, NGINX),
    Cause.PATH_UNKNOWN: answer(404, "{}"),
    Cause.NO_RULE: answer(404, NGINX),
    Cause.OTHER_ORGANISATION: answer(421, "{}"),
    Cause.HOST_UNKNOWN: answer(421, NGINX),
    Cause.API_LIMITS: answer(429, "{}"),
    Cause.GATEWAY_LIMITS: answer(429, NGINX, Retry_After="30"),
    Cause.API_FAILED: answer(500, "{}"),
    Cause.GATEWAY_FAILED: answer(500, NGINX),
    Cause.API_REJECTS: answer(405, "{}"),
    Cause.GATEWAY_REJECTS: answer(405, NGINX),
    Cause.UNKNOWN_REJECTS: answer(418, "?"),
    Cause.NO_USABLE_ANSWER: answer(502, NGINX),
    Cause.API_UNAVAILABLE: answer(503, "{}"),
    Cause.NO_TARGET: answer(503, HAPROXY),
    Cause.WAITED_IN_VAIN: answer(504, NGINX),
    Cause.CLOUDFLARE_ORIGIN: answer(525, CF_RAY="x"),
    Cause.PORTAL: answer(200, "<html>Public WiFi</html>"),
    Cause.LOGIN_PAGE: answer(200, "<html><title>Log in</title></html>"),
    Cause.CONTROL_CHARACTERS: answer(200, "\\x1b[2J"),
    Cause.BLOCK_PAGE: answer(200, "<html>request blocked</html>"),
    Cause.OTHER_PAGE: answer(200, "<html>x</html>"),
    Cause.LOGIN_REDIRECT: answer(302, Location="/login"),
    Cause.REDIRECT_TO_HTTPS: answer(301, url="http://api.example.com/", Location="https://api.example.com/"),
    Cause.REDIRECT_TO_ITSELF: answer(301, Location="/v1/x"),
    Cause.COOKIE_CHECK: answer(302, Location="/v1/x", Set_Cookie="a=b"),
    Cause.REDIRECT_ELSEWHERE: answer(302, Location="https://x.example/"),
    Cause.SILENT: broken(Phase.HEADERS, Trouble.TIMEOUT),
    Cause.RESET: broken(Phase.HEADERS, Trouble.RESET),
    Cause.CLOSED: broken(Phase.HEADERS, Trouble.CLOSED),
    Cause.NO_HTTP: broken(Phase.HEADERS, Trouble.PROTOCOL),
    Cause.ENDLESS: broken(Phase.BODY, Trouble.TOO_LARGE),
    Cause.TLS_ALERT: broken(Phase.HEADERS, Trouble.ALERT),
    Cause.BROKE_OFF: broken(Phase.BODY, Trouble.LOCAL),
    Cause.PROXY_FAILS: broken(Phase.PROXY, Trouble.PROXY_REFUSED),
    Cause.NO_CONNECTION: broken(Phase.TCP, Trouble.REFUSED),
}


def test_each_cause_is_found_by_an_answer_and_has_a_story() -> None:
    assert set(EXAMPLES) == set(Cause) == set(STORIES)


@pytest.mark.parametrize("cause", Cause)
def test_a_remedy_names_the_thing_to_change_and_at_whom(cause: Cause) -> None:
    found = explain_answer(EXAMPLES[cause])
    assert found.kind is cause
    assert re.match(rf"(?:{CHANGES})\b", found.remedy.text)
    assert found.remedy.text.endswith(".")
    assert found.owner in OWNERS[found.hop]
    said = found.cause + found.remedy.text + found.remedy.action
    assert "{" not in said
    assert "log of an unknown" not in said


@pytest.mark.parametrize("cause", Cause)
def test_what_to_do_fits_the_first_words(cause: Cause) -> None:
    remedy = explain_answer(EXAMPLES[cause]).remedy
    first = remedy.action or re.split(r"(?<=[a-z0-9)])[.]\s", remedy.text, maxsplit=1)[0]
    assert len(first.rstrip(".")) <= ACTION_LENGTH
    assert shortened(first, ACTION_LENGTH) == first.rstrip(".")


def test_what_is_to_be_pasted_parses() -> None:
    codes = [one.code for cause in Cause for one in explain_answer(EXAMPLES[cause]).remedy.snippets]
    codes += [one.code for advice in ADVICE.values() for one in advice.snippets]
    found = [code for one in codes if (code := shell_lines(one))]
    assert len(found) >= 4
    assert faults(found) == []


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("kubectl get pods | grep 'x", True),
        ("kubectl get pods && ", True),
        ("curl --no-such-option https://x.example/", True),
        ("curl -sS --resolve a:1:b https://x.example/", False),
        ("btdiag run --target https://x.example --bukket URL", True),
        ("btdiag run --target https://x.example --bucket URL --only cors", False),
        ("btdiag rnu", True),
    ],
)
def test_a_command_that_does_not_parse_is_seen(code: str, wrong: bool) -> None:
    assert bool(faults([code])) is wrong


@pytest.mark.parametrize("cause", Cause)
def test_no_word_in_braces_is_left_open(cause: Cause) -> None:
    story = STORIES[cause]
    names = {name for text in (story.cause, story.text, story.action) for _, name, _, _ in Formatter().parse(text)}
    assert names - {None} <= KNOWN


WRITERS: dict[str, Exchange] = {
    "nginx": answer(502, NGINX),
    "HAProxy": answer(503, HAPROXY),
    "Caddy": answer(502, Server="Caddy"),
    "Traefik": answer(502, "Bad Gateway"),
    "Envoy": answer(503, "no healthy upstream"),
    "AWS Application Load Balancer": answer(503, Server="awselb/2.0"),
}


@pytest.mark.parametrize("product", WRITERS)
def test_the_recognised_products_snippet_comes_first(product: str) -> None:
    assert explain_answer(WRITERS[product]).remedy.snippets[0].product == product


@pytest.mark.parametrize("cause", [cause for cause in Cause if STORIES[cause].snippets])
def test_snippets_are_for_products_that_are_recognised_or_rule_them(cause: Cause) -> None:
    makers = " ".join(row.product for row in MAKERS).lower()
    platforms = {"kubernetes", "terraform", "aws waf", "oauth2-proxy"}
    for one in STORIES[cause].snippets:
        assert one.product.lower() in makers or one.product.lower() in platforms or "ingress" in one.product.lower()


def _all_snippets() -> list[Snippet]:
    of_hops = [one for told in ADVICE.values() for one in told.snippets]
    return of_hops + [one for told in STORIES.values() for one in told.snippets]


def test_one_product_is_written_one_way() -> None:
    names = {one.product for one in _all_snippets()}
    assert len({name.lower() for name in names}) == len(names)


@pytest.mark.parametrize("fault", HopFault)
def test_a_remedy_between_two_hops_names_the_thing_to_change(fault: HopFault) -> None:
    assert re.match(rf"(?:{CHANGES})\b", ADVICE[fault].text)
    assert re.match(rf"(?:{CHANGES})\b", ADVICE[fault].action)
