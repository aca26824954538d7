"""The verdict on a constrained SDK is what the real SDKs were seen to do on the same data plane."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from btdiag.judge.exchange import Exchange, Failure, Phase, Trouble
from btdiag.judge.sdk import (
    app_url_consistent,
    broken_flows,
    control_plane_routes_proxied,
    login_points_here,
    route_states,
)
from btdiag.judge.sdk_facts import (
    LOGIN,
    PROJECT,
    REGISTER_DATASET,
    REGISTER_EXPERIMENT,
    REGISTER_PROJECT,
    ROUTES,
    ControlPlane,
    Flow,
    Login,
    RouteState,
    Sdk,
    SdkEnvironment,
    SdkRoute,
    organisations,
    sdks_of,
    state,
)
from btdiag.measurement import NotMeasured, PerAddress
from btdiag.model import Target, Verdict

URL = "https://api.example.com"
TARGET = Target(url=URL, scheme="https", host="api.example.com", port=443)
CONSTRAINED = replace(TARGET, app_url=URL)
NO_PING = NotMeasured(reason="no key", skipped=True)
OLD, NEW = Sdk(language="python", version="0.34.0"), Sdk(language="python", version="0.48.1")
JS = Sdk(language="js", version="3.35.0")
HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"


def seen(
    status: int | None = 401,
    body: str = '{"error":"Unauthorized"}',
    path: str = "/",
    withheld: str | None = None,
    **h: str,
) -> Exchange:
    failure = None if status else Failure(phase=Phase.HEADERS, trouble=Trouble.RESET, detail="reset")
    return Exchange(
        method="POST",
        url=URL + path,
        label="192.0.2.1",
        started_at="2030-01-01T00:00:00.000Z",
        request_headers=(),
        status=status,
        body=body,
        headers=tuple(h.items()),
        failure=failure,
        key_withheld=withheld,
    )


NOT_FOUND = seen(404, '{"error":"Not Found"}')
ALL = dict.fromkeys(ROUTES, seen())


def org(api_url: object) -> str:
    return json.dumps({"org_info": [{"name": "acme", "api_url": api_url}]})


def logged_in(body: str = org(URL), status: int = 200, *, keyed: bool = True) -> Login:
    found = organisations(body) if status == 200 else None
    return Login(exchange=seen(status, body, LOGIN.path), keyed=keyed, organisations=found)


def plane(
    login: Login | None = None, unknown: Exchange = NOT_FOUND, routes: dict[SdkRoute, Exchange] | None = None
) -> ControlPlane:
    answers = {**ALL, **(routes or {})}
    return ControlPlane(login=login or logged_in(), routes=tuple(answers.items()), unknown=unknown)


def outcome(sdk: Sdk, data_plane: ControlPlane) -> set[str]:
    """What a program with that SDK lives through."""
    flows = broken_flows(sdk, route_states(data_plane))
    return {"loses" if flow.is_silent else "fails" for flow in flows}


NOTHING = {PROJECT, REGISTER_PROJECT, REGISTER_EXPERIMENT, REGISTER_DATASET}


@pytest.mark.parametrize(
    ("data_plane", "old", "new", "js"),
    [
        (plane(), set(), set(), set()),
        (plane(logged_in("null")), {"fails", "loses"}, {"fails", "loses"}, {"fails", "loses"}),
        (plane(logged_in(status=401)), {"fails", "loses"}, {"fails", "loses"}, {"fails", "loses"}),
        (plane(logged_in(HTML)), {"fails", "loses"}, {"fails", "loses"}, {"fails", "loses"}),
        (plane(routes=dict.fromkeys(NOTHING, NOT_FOUND)), {"fails", "loses"}, set(), {"fails", "loses"}),
        (plane(routes={REGISTER_PROJECT: NOT_FOUND}), {"loses"}, set(), {"loses"}),
        (plane(routes={REGISTER_EXPERIMENT: NOT_FOUND}), {"fails"}, set(), {"fails"}),
    ],
    ids=["all", "login null", "login 401", "login page", "only login", "no project/register", "no experiment/register"],
)
def test_outcomes_are_those_of_the_real_sdks(
    data_plane: ControlPlane, old: set[str], new: set[str], js: set[str]
) -> None:
    assert [outcome(sdk, data_plane) for sdk in (OLD, NEW, JS)] == [old, new, js]


def test_python_needs_only_the_login_from_0_35_on() -> None:
    needs = {
        version: len(set(Sdk(language="python", version=version).needs.values())) for version in ("0.9", "0.35", "1.0")
    }
    assert needs == {"0.9": 4, "0.35": 1, "1.0": 1}
    assert set(Sdk(language="java", version="0.2.0").needs[Flow.LOGGER]) == {LOGIN}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (seen(401), RouteState.THERE),
        (seen(200, "[]"), RouteState.THERE),
        (seen(400, "{}"), RouteState.THERE),
        (seen(404), RouteState.MISSING),
        (seen(405), RouteState.MISSING),
        (seen(501), RouteState.MISSING),
        (seen(200, HTML), RouteState.MISSING),
        (seen(401, HTML), RouteState.MISSING),
        (seen(403, '{"message":"Missing Authentication Token"}'), RouteState.MISSING),
        (seen(429), RouteState.LIMITED),
        (seen(502), RouteState.BROKEN),
        (seen(421), RouteState.BROKEN),
        (seen(301, "", Location="https://api.example.com/x"), RouteState.BROKEN),
        (seen(None), RouteState.BROKEN),
    ],
)
def test_state_of_a_route(answer: Exchange, expected: RouteState) -> None:
    assert state(answer, NOT_FOUND) is expected


def test_a_refusal_proves_nothing_where_everything_is_refused() -> None:
    assert state(seen(401), seen(401)) is RouteState.UNTOLD
    assert state(seen(401, **{"x-vercel-id": "fra1::1"}), seen(401)) is RouteState.THERE
    assert state(seen(401, HTML), seen(404, HTML)) is RouteState.THERE  # a gateway's page for every error
    found = control_plane_routes_proxied(plane(unknown=seen(401)), NO_PING, TARGET)
    assert found.verdict is Verdict.INCONCLUSIVE


def test_missing_routes_fail_only_where_sdks_are_constrained() -> None:
    broken = plane(routes={REGISTER_PROJECT: NOT_FOUND})
    assert control_plane_routes_proxied(broken, NO_PING, CONSTRAINED).verdict is Verdict.FAIL
    assert control_plane_routes_proxied(broken, NO_PING, replace(TARGET, role="sdk")).verdict is Verdict.FAIL
    assert control_plane_routes_proxied(broken, NO_PING, TARGET).verdict is Verdict.WARN
    new = replace(CONSTRAINED, sdks=(("python", "0.48.1"),))
    assert control_plane_routes_proxied(broken, NO_PING, new).verdict is Verdict.PASS
    summary = control_plane_routes_proxied(broken, NO_PING, CONSTRAINED).summary
    assert "lose their logs without an exception (js 3.35.0)" in summary
    assert "init()" not in summary


def test_a_control_plane_out_of_reach_is_the_data_planes_fault() -> None:
    found = control_plane_routes_proxied(plane(logged_in("", 502)), NO_PING, TARGET)
    assert (found.verdict, found.hop) == (Verdict.FAIL, "api")
    assert "reach https://www.braintrust.dev" in (found.remedy.text if found.remedy else "")


def test_a_refused_key_is_another_checks_finding() -> None:
    refused = plane(logged_in(status=401))
    ping = PerAddress({"192.0.2.1": seen(401)})
    assert control_plane_routes_proxied(refused, ping, CONSTRAINED).because == "readiness.key-is-accepted"
    assert login_points_here(refused, ping, CONSTRAINED).because == "readiness.key-is-accepted"
    accepted = PerAddress({"192.0.2.1": seen(200, "{}")})
    assert control_plane_routes_proxied(refused, accepted, CONSTRAINED).verdict is Verdict.FAIL


def test_a_rate_limit_leaves_both_undecided() -> None:
    limited = plane(logged_in("", 429))
    assert control_plane_routes_proxied(limited, NO_PING, TARGET).verdict is Verdict.INCONCLUSIVE
    assert login_points_here(limited, NO_PING, TARGET).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("api_url", "constrained", "verdict"),
    [
        (URL, False, Verdict.PASS),
        (f"{URL}:443/", False, Verdict.PASS),
        ("HTTPS://API.example.com", False, Verdict.PASS),
        ("https://api.braintrust.dev", False, Verdict.FAIL),
        ("http://api.example.com", False, Verdict.FAIL),
        (f"{URL}/api", False, Verdict.FAIL),
        (None, False, Verdict.FAIL),
        ("nonsense", False, Verdict.FAIL),
        ("https://d111.cloudfront.net", False, Verdict.WARN),
        ("https://d111.cloudfront.net", True, Verdict.FAIL),
    ],
)
def test_where_login_sends_sdks(api_url: str | None, constrained: bool, verdict: Verdict) -> None:
    target = CONSTRAINED if constrained else TARGET
    assert login_points_here(plane(logged_in(org(api_url))), NO_PING, target).verdict is verdict


def test_one_of_several_organisations_served_here_is_a_warning() -> None:
    body = json.dumps(
        {"org_info": [{"name": "a", "api_url": "https://api.braintrust.dev"}, {"name": "b", "api_url": URL}]}
    )
    found = login_points_here(plane(logged_in(body)), NO_PING, CONSTRAINED)
    assert found.verdict is Verdict.WARN
    assert "only b is served here" in found.summary


def test_login_needs_the_key() -> None:
    keyless = plane(logged_in(status=401, keyed=False))
    assert login_points_here(keyless, NO_PING, CONSTRAINED).verdict is Verdict.SKIP
    assert "without a key" in control_plane_routes_proxied(keyless, NO_PING, TARGET).summary


def test_no_organisation_is_blamed_on_the_routes_where_they_fail() -> None:
    null = plane(logged_in("null"))
    assert login_points_here(null, NO_PING, CONSTRAINED).because == "sdk.control-plane-routes-proxied"
    assert login_points_here(null, NO_PING, TARGET).because is None


@pytest.mark.parametrize("body", ["null", "[]", "{}", '{"org_info": 5}', "<html>", "[" * 50_000, ""])
def test_no_login_answer(body: str) -> None:
    assert organisations(body) is None


@pytest.mark.parametrize(
    ("environment", "target", "verdict", "part"),
    [
        (SdkEnvironment(), TARGET, Verdict.PASS, "apart from the data plane"),
        (SdkEnvironment(), CONSTRAINED, Verdict.WARN, "all links"),
        (SdkEnvironment(app_public_url=URL + "/"), CONSTRAINED, Verdict.WARN, "all links"),
        (SdkEnvironment(app_public_url=""), TARGET, Verdict.WARN, "without a host"),
        (SdkEnvironment(app_public_url="https://www.braintrust.dev"), CONSTRAINED, Verdict.PASS, "permalink()"),
        (SdkEnvironment(api_url=URL), TARGET, Verdict.PASS, "apart"),
        (SdkEnvironment(api_url="https://api.braintrust.dev"), TARGET, Verdict.WARN, "instead of"),
        (SdkEnvironment(), replace(TARGET, app_url="https://api.braintrust.dev"), Verdict.FAIL, "no web app"),
    ],
)
def test_urls_fit_together(environment: SdkEnvironment, target: Target, verdict: Verdict, part: str) -> None:
    found = app_url_consistent(environment, target)
    assert found.verdict is verdict
    assert part in found.summary


def test_declared_sdks_replace_the_newest_ones() -> None:
    assert [str(sdk) for sdk in sdks_of(TARGET)] == ["python 0.48.1", "js 3.35.0"]
    assert [str(sdk) for sdk in sdks_of(replace(TARGET, sdks=(("JS", "2.0"),)))] == ["js 2.0"]


def test_what_was_not_asked_is_not_judged() -> None:
    """With --header 'Authorization: ...' every request is logged in, and calls that write are not made."""
    partial = ControlPlane(login=logged_in(), routes=((PROJECT, seen(200, "[]")),), unknown=NOT_FOUND)
    assert control_plane_routes_proxied(partial, NO_PING, CONSTRAINED).verdict is Verdict.INCONCLUSIVE
    new = replace(CONSTRAINED, sdks=(("python", "0.48.1"),))
    assert control_plane_routes_proxied(partial, NO_PING, new).verdict is Verdict.PASS


def test_a_login_without_a_key_is_read_too() -> None:
    null = Login(exchange=seen(200, "null"), keyed=False)
    assert control_plane_routes_proxied(plane(null), NO_PING, CONSTRAINED).verdict is Verdict.FAIL
    elsewhere = logged_in(org("https://api.braintrust.dev"), keyed=False)
    assert login_points_here(plane(elsewhere), NO_PING, TARGET).verdict is Verdict.FAIL
