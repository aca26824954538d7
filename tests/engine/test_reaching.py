"""The client for tests: requests on the measured way, one line where there is none."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from btdiag.core.target import Secret
from btdiag.engine.reaching import OutOfReachError, reaching_client
from tests.support.recorder import recording
from tests.support.serving import http_target


def test_requests_go_the_measured_way_without_the_key() -> None:
    others = set(threading.enumerate())
    with recording() as seen:
        target = replace(http_target(seen.port), api_key=Secret("sk-canary"), headers=(("X-Tenant", Secret("a")),))
        with reaching_client(target) as client:
            before = len(seen.heads)
            answer = client.get("/version", params={"a": "b"})
            posted = client.post("/logs3", json={"rows": []})
        assert (answer.status_code, answer.json()) == (200, {"version": "1.1.30"})
        assert answer.extensions["exchange"].label == "127.0.0.1"
        assert posted.status_code == 200
        got, post = seen.heads[before:]
        assert got.startswith("GET /version?a=b HTTP/1.1")
        assert "X-Tenant: a" in got
        assert "(client)" in got
        assert post.startswith("POST /logs3 ")
        assert "sk-canary" not in seen.said
    assert "btdiag measuring" not in {thread.name for thread in set(threading.enumerate()) - others}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "refused"),
        ({"host": "api.example.test", "url": "http://api.example.test:1"}, "api.example.test"),
    ],
    ids=["nobody listens", "no address"],
)
def test_a_target_without_a_way_is_told_in_one_line(more: dict[str, str], why: str) -> None:
    target = replace(http_target(1), **more)  # type: ignore[arg-type]
    with pytest.raises(OutOfReachError, match=why) as told, reaching_client(target):
        pass
    assert str(told.value).startswith(f"{target.url}: ")
    assert "\n" not in str(told.value)
