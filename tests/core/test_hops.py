"""Faults between two hops: what known products say of them, and that each remedy can be followed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange
from btdiag.core.finding import HopName, Owner
from btdiag.core.hops import ADVICE, HopFault, advice, fault_of
from btdiag.core.sender import sender
from btdiag.core.statuses import explain_answer
from tests.families.readiness.test_judge import seen

RESET = "upstream connect error or disconnect/reset before headers. reset reason: "
TLS = f"{RESET}remote connection failure, transport failure reason: TLS_error:|268435703:SSL routines:OPENSSL_internal:"
TRIED = f"{RESET}connection failure, transport failure reason: delayed connect error: "
APACHE = "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />"
BARE_NGINX = "<center><h1>400 Bad Request</h1></center>\r\n<hr><center>nginx/1.22.1</center>"
SAID: list[tuple[Exchange, HopFault]] = [
    (seen(426, "Upgrade Required", Server="envoy"), HopFault.OLD_HTTP),
    (seen(426, "Upgrade Required", Server="nginx/1.22.1"), HopFault.OLD_HTTP),
    (seen(400, "<center>The plain HTTP request was sent to HTTPS port</center><center>nginx"), HopFault.PLAIN_TO_TLS),
    (seen(400, "Client sent an HTTP request to an HTTPS server.\n"), HopFault.PLAIN_TO_TLS),
    (seen(400, APACHE, Server="Apache/2.4"), HopFault.PLAIN_TO_TLS),
    (seen(400, "<center>No required SSL certificate was sent</center><center>nginx"), HopFault.NO_CLIENT_CERTIFICATE),
    (seen(400, "<center>The SSL certificate error</center><center>nginx"), HopFault.UNTRUSTED),
    (seen(400, "", Connection="close"), HopFault.UNREADABLE),
    (seen(400, BARE_NGINX), HopFault.UNREADABLE),
    (seen(500, "Internal Server Error", Date="today"), HopFault.TLS_OR_PROTOCOL),
    (seen(503, f"{TLS}WRONG_VERSION_NUMBER"), HopFault.TLS_TO_PLAIN),
    (seen(503, f"{TLS}CERTIFICATE_VERIFY_FAILED"), HopFault.UNTRUSTED),
    (seen(503, f"{TLS}SSLV3_ALERT_BAD_CERTIFICATE"), HopFault.NO_CLIENT_CERTIFICATE),
    (seen(502, f"{RESET}protocol error"), HopFault.PROTOCOL),
    (seen(503, f"{RESET}connection termination"), HopFault.CUT_OFF),
    (seen(503, f"{RESET}remote connection failure"), HopFault.NOT_CONNECTED),
    (seen(503, f"{TRIED}111"), HopFault.REFUSED),
    (seen(502, "Failed to dial: dial tcp 10.0.0.1:8000: connect: connection refused"), HopFault.REFUSED),
    (seen(503, f"{TRIED}113"), HopFault.UNREACHABLE),
    (seen(503, f"{RESET}connection timeout"), HopFault.UNREACHABLE),
]
"""What Envoy 1.39 and older, Traefik 3.7, nginx 1.22, Apache 2.4, Go and Node say."""


@pytest.mark.parametrize(("answer", "fault"), SAID)
def test_what_products_say_of_a_fault_between_two_hops(answer: Exchange, fault: HopFault) -> None:
    assert fault_of(answer) is fault
    story = explain_answer(answer)
    assert (story.hop, story.owner) == (HopName.LOAD_BALANCER, Owner.LOAD_BALANCER)
    assert story.remedy.snippets
    assert "unknown" not in story.cause + story.remedy.text


def test_every_fault_is_recognised_by_something() -> None:
    assert {fault for _, fault in SAID} == set(HopFault) == set(ADVICE)


@pytest.mark.parametrize("fault", HopFault)
@pytest.mark.parametrize("answer", [seen(503, f"{RESET}x"), seen(400, "<center>nginx"), seen(400, "?")])
def test_each_remedy_names_both_sides_and_the_recognised_product_first(fault: HopFault, answer: Exchange) -> None:
    who = sender(answer)
    found = advice(fault, who)
    assert "{who}" not in found.cause + found.text + found.action
    assert 0 < len(found.action) <= 140
    named = [one.product.lower() in who.name.lower() for one in found.snippets]
    assert named == sorted(named, reverse=True)
    assert found.snippets


@pytest.mark.parametrize(
    "answer",
    [
        seen(503, '{"error":"connection refused by the database"}'),  # the API's own words
        seen(200, f"{RESET}protocol error"),
        seen(426, "", Upgrade="websocket"),
        seen(500, "Internal Server Error", Content_Type="text/plain"),  # an application's own
        seen(400, "", Content_Type="application/json"),
        replace(seen(400, ""), method="POST"),
        replace(seen(400, BARE_NGINX), url="https://api.example.com/v1/x"),
        seen(502, "<center>nginx"),
    ],
)
def test_other_answers_tell_of_no_such_fault(answer: Exchange) -> None:
    assert fault_of(answer) is None


def test_plain_http_of_our_own_is_the_urls_fault() -> None:
    answer = replace(SAID[2][0], url="http://api.example.com/")
    assert "Use https://" in explain_answer(answer).remedy.text


def test_plain_http_behind_another_product_is_not_ours() -> None:
    answer = replace(SAID[2][0], url="http://api.example.com/", headers=(("Server", "envoy"),))
    assert "Let the hop before nginx speak TLS" in explain_answer(answer).remedy.text


def test_nobody_is_told_to_read_the_log_of_somebody_unknown() -> None:
    for status in (400, 404, 405, 418, 426, 500, 502, 503, 504):
        story = explain_answer(seen(status, "?"))
        assert "log of an unknown" not in story.remedy.text
