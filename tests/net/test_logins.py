"""Where a login lets the API key pass, everything that goes there carries a bearer token: the key where nothing is
written, a made-up one elsewhere."""

from __future__ import annotations

import pytest

from btdiag.core.answers import asks_for_login, turned_away
from btdiag.core.credential import MADE_UP
from btdiag.core.exchange import Exchange, Header
from btdiag.core.sender import sent_on
from btdiag.net.request import USUAL, Asked, Shape

OWN = ("Authorization", "Bearer own")


def asked(method: str, *headers: Header, with_key: bool = False, shape: Shape = USUAL) -> Asked:
    url = "https://api.corp.test/v1/project"
    return Asked(method=method, url=url, headers=headers, body=b"", with_key=with_key, shape=shape)


@pytest.mark.parametrize(
    ("request_", "with_key", "headers"),
    [
        (asked("GET"), True, ()),
        (asked("HEAD"), True, ()),
        (asked("POST"), False, (("Authorization", MADE_UP),)),
        (asked("DELETE", with_key=True), True, ()),
        (asked("OPTIONS"), False, ()),
        (asked("GET", OWN), False, (OWN,)),
        (asked("POST", OWN), False, (OWN,)),
        (asked("GET", shape=Shape(bare=True)), False, ()),
    ],
)
def test_only_what_writes_nothing_is_asked_with_the_key(
    request_: Asked, with_key: bool, headers: tuple[Header, ...]
) -> None:
    found = request_.as_clients_do()
    assert (found.with_key, found.headers) == (with_key, headers)


def answer(status: int, *sent: Header, location: str = "") -> Exchange:
    return Exchange(
        method="GET",
        url="https://api.corp.test/",
        label="192.0.2.1",
        started_at="2026-11-01T00:00:00Z",
        request_headers=sent,
        status=status,
        headers=(("Location", location),) if location else (),
    )


@pytest.mark.parametrize(
    ("seen", "login", "away"),
    [
        (answer(401), True, False),
        (answer(401, ("authorization", MADE_UP)), True, True),
        (answer(302, ("Authorization", MADE_UP), location="https://login.corp.test/"), True, True),
        (answer(302, location="https://api.corp.test/oauth2/start"), True, False),
        (answer(307, ("Authorization", MADE_UP), location="https://api.corp.test/v1"), False, False),
        (answer(200, ("Authorization", MADE_UP)), False, False),
    ],
)
def test_who_asks_for_a_login(seen: Exchange, login: bool, away: bool) -> None:
    assert (asks_for_login(seen), turned_away(seen)) == (login, away)


@pytest.mark.parametrize(
    ("status", "location", "onward"),
    [
        (307, "https://api.corp.test/v1/", "https://api.corp.test/v1/"),
        (308, "/v1/", "https://api.corp.test/v1/"),
        (307, "https://api.corp.test:443/v1/", "https://api.corp.test:443/v1/"),
        (302, "/v1/", None),  # a POST becomes a GET there
        (307, "http://api.corp.test/v1/", None),
        (307, "https://api.corp.test:8443/v1/", None),
        (307, "https://other.corp.test/v1/", None),
        (307, "/login", None),
        (307, "/", None),
        (307, "https://api.corp.test:odd/", None),
        (200, "", None),
    ],
)
def test_who_is_sent_on_within_the_same_place(status: int, location: str, onward: str | None) -> None:
    assert sent_on(answer(status, location=location)) == onward
