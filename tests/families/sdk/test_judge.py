"""The verdict on a constrained SDK is what the real SDKs were seen to do on the same data plane."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from btdiag.core.exchange import Exchange, Failure, Phase, Trouble
from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.gateway.facts.routes import ROUTE_CLASSES, RouteAnswers
from btdiag.families.sdk.facts import ControlPlane, Login, Namesake, RouteState, SdkEnvironment, organisations, state
from btdiag.families.sdk.judge import login
from btdiag.families.sdk.judge.data import data_plane_routes_answered
from btdiag.families.sdk.judge.routes import control_plane_routes_proxied, route_states
from btdiag.families.sdk.judge.urls import app_url_consistent
from btdiag.families.sdk.needs import (
    BASE_EXPERIMENT,
    CONTROL_ROUTES,
    CREATE_DATASET,
    DATA_ROUTES,
    EXPERIMENT,
    LOGIN,
    LOGS,
    PROJECT,
    REGISTER_DATASET,
    REGISTER_EXPERIMENT,
    REGISTER_PROJECT,
    Flow,
    Sdk,
    SdkRoute,
    losses,
    sdks_of,
)
from tests import factories

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
    return factories.exchange(
        method="POST",
        url=URL + path,
        status=status,
        body=body,
        headers=tuple(h.items()),
        failure=failure,
        key_withheld=withheld,
    )


NOT_FOUND = seen(404, '{"error":"Not Found"}')
ALL = dict.fromkeys(CONTROL_ROUTES, seen())
ALL_DATA = dict.fromkeys(DATA_ROUTES, seen())
NO_ROUTES = NotMeasured(reason="not asked", skipped=True)


def org(api_url: object, **more: object) -> str:
    return json.dumps({"org_info": [{"id": "1", "name": "acme", "api_url": api_url, **more}]})


def logged_in(body: str = org(URL), status: int = 200, *, keyed: bool = True) -> Login:
    found = organisations(body) if status == 200 else None
    return Login(exchange=seen(status, body, LOGIN.path), keyed=keyed, organisations=found)


def plane(
    login: Login | None = None,
    unknown: Exchange = NOT_FOUND,
    routes: dict[SdkRoute, Exchange] | None = None,
    data: dict[SdkRoute, Exchange] | None = None,
    elsewhere: Exchange | None = None,
) -> ControlPlane:
    return ControlPlane(
        login=login or logged_in(),
        routes=tuple({**ALL, **(routes or {})}.items()),
        data=tuple({**ALL_DATA, **(data or {})}.items()),
        unknown=unknown,
        elsewhere=elsewhere,
    )


def login_points_here(
    found: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target, **variables: str
) -> Finding:
    return login.login_points_here(found, ping, SdkEnvironment(**variables), target)


def outcome(sdk: Sdk, data_plane: ControlPlane) -> set[str]:
    """What a program with that SDK lives through in login(), init_logger(), init() and Eval()."""
    bad = {
        route for route, found in route_states(data_plane).items() if found in {RouteState.MISSING, RouteState.BROKEN}
    }
    return {"fails" if loss.raises else "loses" for flow, loss in losses(sdk, bad).items() if not flow.is_rare}


NOTHING = set(CONTROL_ROUTES)


@pytest.mark.parametrize(
    ("data_plane", "old", "new", "js"),
    [
        (plane(), set(), set(), set()),
        (plane(logged_in("null")), {"fails", "loses"}, {"fails", "loses"}, {"fails", "loses"}),
        (plane(logged_in(status=401)), {"fails", "loses"}, {"fails", "loses"}, {"fails", "loses"}),
        (plane(logged_in(HTML)), {"fails", "loses"}, {"fails", "loses"}, {"fails", "loses"}),
        (plane(routes=dict.fromkeys(NOTHING, NOT_FOUND)), {"fails", "loses"}, set(), {"fails", "loses"}),
        (plane(routes={REGISTER_PROJECT: NOT_FOUND}), {"loses"}, set(), {"loses"}),
        (plane(routes={REGISTER_EXPERIMENT: NOT_FOUND}), {"fails", "loses"}, set(), {"fails", "loses"}),
        (plane(routes={REGISTER_DATASET: NOT_FOUND}), {"loses"}, set(), {"loses"}),
        (plane(routes={BASE_EXPERIMENT: NOT_FOUND}), {"fails"}, set(), {"fails"}),
    ],
    ids=[
        "all",
        "login null",
        "login 401",
        "login page",
        "only login",
        "no project/register",
        "no experiment/register",
        "no dataset/register",
        "no base_experiment/get_id",
    ],
)
def test_outcomes_are_those_of_the_real_sdks(
    data_plane: ControlPlane, old: set[str], new: set[str], js: set[str]
) -> None:
    assert [outcome(sdk, data_plane) for sdk in (OLD, NEW, JS)] == [old, new, js]


def test_python_needs_only_the_login_from_0_35_on() -> None:
    def calls(version: str) -> set[SdkRoute]:
        needs = Sdk(language="python", version=version).needs
        return {route for flow, routes in needs.items() if not flow.is_rare for route in routes} & NOTHING

    assert [len(calls(version)) for version in ("0.9", "0.34.0", "0.35", "1.0")] == [5, 5, 0, 0]
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
    assert "with js 3.35.0 init_logger() loses what it is given without an exception" in summary
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
        (None, False, Verdict.FAIL),
        ("nonsense", False, Verdict.FAIL),
        ("https://d111.cloudfront.net", False, Verdict.WARN),
        ("https://d111.cloudfront.net", True, Verdict.FAIL),
    ],
)
def test_where_login_sends_sdks(api_url: str | None, constrained: bool, verdict: Verdict) -> None:
    target = CONSTRAINED if constrained else TARGET
    assert login_points_here(plane(logged_in(org(api_url))), NO_PING, target).verdict is verdict


def test_sdks_take_the_first_of_several_organisations() -> None:
    body = json.dumps(
        {
            "org_info": [
                {"id": "1", "name": "a", "api_url": "https://api.braintrust.dev"},
                {"id": "2", "name": "b", "api_url": URL},
            ]
        }
    )
    found = login_points_here(plane(logged_in(body)), NO_PING, CONSTRAINED)
    assert found.verdict is Verdict.FAIL
    assert "only b is served here" in found.summary
    assert found.remedy is not None
    assert [snippet.code for snippet in found.remedy.snippets] == ["export BRAINTRUST_ORG_NAME=b"]
    assert login_points_here(plane(logged_in(body)), NO_PING, TARGET).verdict is Verdict.WARN
    assert login_points_here(plane(logged_in(body)), NO_PING, CONSTRAINED, org_name="b").verdict is Verdict.PASS
    empty = login_points_here(plane(logged_in(body)), NO_PING, CONSTRAINED, org_name="")
    assert "BRAINTRUST_ORG_NAME is ''" in empty.summary
    gone = login_points_here(plane(logged_in(body)), NO_PING, CONSTRAINED, org_name="c")
    assert gone.verdict is Verdict.FAIL
    assert "login knows this key in a, b alone" in gone.summary


@pytest.mark.parametrize(
    ("api_url", "answer", "verdict", "part"),
    [
        ("http://api.example.com", seen(301, "", Location=f"{URL}/version"), Verdict.FAIL, "301 to"),
        ("http://api.example.com", seen(None), Verdict.FAIL, "a reset"),
        (f"{URL}/api", NOT_FOUND, Verdict.FAIL, "404"),
        (f"{URL}:8443", seen(421), Verdict.FAIL, "421"),
        (f"{URL}:8443", seen(200, '{"version":"1"}'), Verdict.WARN, "whatever is tested here"),
        (f"{URL}:8443", None, Verdict.FAIL, "whatever is tested here"),
    ],
)
def test_another_place_on_the_same_host_is_judged_by_its_answer(
    api_url: str, answer: Exchange | None, verdict: Verdict, part: str
) -> None:
    found = login_points_here(plane(logged_in(org(api_url)), elsewhere=answer), NO_PING, CONSTRAINED)
    assert found.verdict is verdict
    assert part in found.summary


def test_a_variable_saves_the_sdks_that_have_it() -> None:
    elsewhere = plane(logged_in(org("https://api.braintrust.dev")))
    found = login_points_here(elsewhere, NO_PING, CONSTRAINED, api_url=URL + "/")
    assert found.verdict is Verdict.WARN
    assert "saved by BRAINTRUST_API_URL" in found.summary


def test_an_api_url_elsewhere_is_told_with_what_each_sdk_does() -> None:
    """Observed with 0.34.0 and 3.35.0, which register at the app URL, and with 0.48.1, which does so at the API."""
    both = replace(CONSTRAINED, sdks=(("python", "0.48.1"), ("js", "3.35.0")))
    summary = login_points_here(plane(logged_in(org("https://api.braintrust.dev"))), NO_PING, both).summary
    assert "with python 0.48.1 Eval() raises, and init_logger(), init() and init_dataset() lose" in summary
    assert "with js 3.35.0 init_logger(), init(), init_dataset() and Eval() lose" in summary


def test_a_key_of_no_organisation_fails_at_the_login() -> None:
    nobody = plane(logged_in('{"org_info": []}'))
    assert control_plane_routes_proxied(nobody, NO_PING, CONSTRAINED).verdict is Verdict.PASS
    assert login_points_here(nobody, NO_PING, TARGET).verdict is Verdict.FAIL


def test_python_refuses_an_organisation_without_an_id() -> None:
    nameless = plane(logged_in(org(URL, id=None)))
    js = replace(CONSTRAINED, sdks=(("js", "3.35.0"),))
    assert login_points_here(nameless, NO_PING, CONSTRAINED).verdict is Verdict.FAIL
    assert login_points_here(nameless, NO_PING, js).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("first", "sdk", "verdict"),
    [
        (seen(502), "js", Verdict.WARN),
        (seen(429), "js", Verdict.INCONCLUSIVE),
        (seen(429), "python", Verdict.PASS),
        (seen(None), "python", Verdict.PASS),
    ],
)
def test_a_login_that_succeeds_when_asked_again(first: Exchange, sdk: str, verdict: Verdict) -> None:
    target = replace(CONSTRAINED, sdks=((sdk, "3.35.0" if sdk == "js" else "0.48.1"),))
    found = control_plane_routes_proxied(plane(replace(logged_in(), first=first)), NO_PING, target)
    assert found.verdict is verdict
    if sdk == "js":
        assert "login() and Eval() raise" in found.summary


def test_rare_calls_only_warn() -> None:
    old = replace(CONSTRAINED, sdks=(("python", "0.34.0"),))
    found = control_plane_routes_proxied(plane(routes={EXPERIMENT: NOT_FOUND}), NO_PING, old)
    assert (found.verdict, "init(open=True) raises" in found.summary) == (Verdict.WARN, True)
    new = replace(CONSTRAINED, sdks=(("python", "0.48.1"),))
    found = control_plane_routes_proxied(plane(routes={BASE_EXPERIMENT: NOT_FOUND}), NO_PING, new)
    assert (found.verdict, "Eval() on BaseExperiment() raises" in found.summary) == (Verdict.WARN, True)


def test_a_plane_that_proxies_nothing_is_no_fault_where_nobody_needs_it() -> None:
    bare = plane(logged_in(status=404, body="{}"), routes=dict.fromkeys(CONTROL_ROUTES, NOT_FOUND))
    assert control_plane_routes_proxied(bare, NO_PING, TARGET).verdict is Verdict.SKIP
    assert control_plane_routes_proxied(bare, NO_PING, CONSTRAINED).verdict is Verdict.FAIL


def test_a_late_answer_is_not_blamed_on_the_data_plane() -> None:
    late = replace(seen(None), failure=Failure(phase=Phase.HEADERS, trouble=Trouble.TIMEOUT, detail="late"))
    found = control_plane_routes_proxied(plane(routes={REGISTER_PROJECT: late}), NO_PING, CONSTRAINED)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "while SDKs wait for up to 60 s" in found.summary


@pytest.mark.parametrize(
    ("data", "old", "new"),
    [
        ({}, Verdict.PASS, Verdict.PASS),
        ({LOGS: NOT_FOUND}, Verdict.FAIL, Verdict.FAIL),
        ({CREATE_DATASET: NOT_FOUND}, Verdict.PASS, Verdict.FAIL),
        ({CREATE_DATASET: seen(421)}, Verdict.PASS, Verdict.FAIL),
        ({CREATE_DATASET: seen(429)}, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ],
)
def test_calls_of_the_data_plane_itself(data: dict[SdkRoute, Exchange], old: Verdict, new: Verdict) -> None:
    targets = [replace(TARGET, sdks=(("python", version),)) for version in ("0.34.0", "0.48.1")]
    found = [data_plane_routes_answered(plane(data=data), NO_ROUTES, target).verdict for target in targets]
    assert found == [old, new]


def test_a_refusal_of_the_api_is_an_answer() -> None:
    refused = plane(unknown=seen(401))
    assert data_plane_routes_answered(refused, NO_ROUTES, TARGET).verdict is Verdict.PASS


def test_routes_that_reach_no_backend_are_another_checks_finding() -> None:
    down = seen(503, HTML)
    answers = tuple((one, down if one.path == "/logs3" else seen()) for one in ROUTE_CLASSES)
    routes = RouteAnswers(answers=answers, unknown=NOT_FOUND)
    found = data_plane_routes_answered(plane(data={LOGS: down}), routes, TARGET)
    assert (found.verdict, found.because) == (Verdict.SKIP, "gateway.routes-reach-their-backend")
    both = plane(data={LOGS: down, CREATE_DATASET: NOT_FOUND})
    assert data_plane_routes_answered(both, routes, TARGET).verdict is Verdict.FAIL


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
        (SdkEnvironment(api_url=""), TARGET, Verdict.FAIL, "with js 3.35.0 login() and Eval() raise"),
        (SdkEnvironment(app_url=""), TARGET, Verdict.FAIL, "with python 0.48.1 login() and Eval() raise"),
        (SdkEnvironment(app_url=""), replace(TARGET, sdks=(("js", "3.35.0"),)), Verdict.PASS, "apart"),
        (SdkEnvironment(proxy_url="https://other.example"), TARGET, Verdict.PASS, "apart"),
        (SdkEnvironment(proxy_url="https://other.example"), CONSTRAINED, Verdict.WARN, "call functions"),
        (SdkEnvironment(proxy_url=URL), replace(TARGET, role="sdk"), Verdict.PASS, "apart"),
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


def asked_with_key(get: int, *, login: int = 405, unknown: int = 404) -> Finding:
    """Every path is refused alike without the key; with it GET on the registration of projects, on the login and on an
    unknown path are answered so."""
    refused = seen(401)
    plane = ControlPlane(
        login=logged_in(),
        routes=tuple((route, refused) for route in CONTROL_ROUTES),
        unknown=refused,
        keyed=tuple((route, seen(get)) for route in CONTROL_ROUTES),
        keyed_unknown=seen(unknown),
        keyed_login=seen(login),
    )
    return control_plane_routes_proxied(plane, NO_PING, CONSTRAINED)


@pytest.mark.parametrize(
    ("get", "login", "unknown", "verdict"),
    [
        (405, 405, 404, Verdict.PASS),
        (400, 405, 404, Verdict.PASS),
        (404, 405, 404, Verdict.FAIL),
        (404, 404, 404, Verdict.INCONCLUSIVE),  # a server that says 404 to a wrong method as well
        (401, 405, 401, Verdict.INCONCLUSIVE),
    ],
)
def test_a_get_with_the_key_settles_what_a_post_without_it_cannot(
    get: int, login: int, unknown: int, verdict: Verdict
) -> None:
    found = asked_with_key(get, login=login, unknown=unknown)
    assert found.verdict is verdict
    assert found.remedy is None or "Set BRAINTRUST_API_KEY" not in found.remedy.text


def test_a_redirect_to_https_on_the_same_host_is_no_fault() -> None:
    plain = replace(CONSTRAINED, url="http://api.example.com", scheme="http", port=80, app_url="http://api.example.com")

    def sent(path: str, status: int) -> Exchange:
        return replace(seen(status, "", path, Location=URL + path), url=f"http://api.example.com{path}")

    def judged(status: int) -> list[Finding]:
        plane = ControlPlane(
            login=Login(exchange=sent(LOGIN.path, status), keyed=True),
            routes=tuple((route, sent(route.path, status)) for route in CONTROL_ROUTES),
            data=tuple((route, sent(route.path, status)) for route in DATA_ROUTES),
            unknown=sent("/unknown", status),
        )
        return [
            control_plane_routes_proxied(plane, NO_PING, plain),
            data_plane_routes_answered(plane, NO_ROUTES, plain),
        ]

    for found in judged(307):
        assert (found.verdict, found.because) == (Verdict.SKIP, None)
        assert "--target https://api.example.com" in found.summary
    assert all(found.verdict is Verdict.FAIL for found in judged(301))


def test_a_login_that_hangs_beside_own_routes_is_the_api_servers_way_out() -> None:
    hanging = replace(
        seen(None), failure=Failure(phase=Phase.HEADERS, trouble=Trouble.TIMEOUT, detail="not complete within 20 s")
    )
    plane = ControlPlane(
        login=Login(exchange=hanging, keyed=True),
        routes=tuple((route, hanging) for route in CONTROL_ROUTES),
        data=tuple(ALL_DATA.items()),
        unknown=NOT_FOUND,
    )
    found = control_plane_routes_proxied(plane, NO_PING, CONSTRAINED)
    assert (found.verdict, found.hop) == (Verdict.FAIL, "api")
    assert found.remedy is not None
    assert "let the API server reach https://www.braintrust.dev" in found.remedy.text


@pytest.mark.parametrize(("same", "verdict"), [(True, Verdict.WARN), (False, Verdict.FAIL), (None, Verdict.FAIL)])
def test_another_name_of_the_same_server_is_a_warning(same: bool | None, verdict: Verdict) -> None:
    twin = Namesake(host="dp.example.com", shared=("192.0.2.1",), same_certificate=same)
    plane = ControlPlane(
        login=logged_in(org("https://dp.example.com")),
        routes=tuple(ALL.items()),
        unknown=NOT_FOUND,
        namesake=twin,
    )
    found = login.login_points_here(plane, NO_PING, SdkEnvironment(), CONSTRAINED)
    assert found.verdict is verdict
    assert ("another name of the same server" in found.summary) is (same is True)


@pytest.mark.parametrize(
    ("proxy_url", "verdict", "words"),
    [
        (None, Verdict.PASS, ""),
        (f"{URL}/v1/proxy", Verdict.PASS, ""),
        ("https://gateway.example.com", Verdict.PASS, "functions go to https://gateway.example.com, which was not"),
        ("https://braintrustproxy.com", Verdict.WARN, "the hosted product's"),
        ("http://api.example.com", Verdict.WARN, "plain http"),
        ("https://api.example.com:8443", Verdict.WARN, "another port (8443)"),
        ("gateway", Verdict.WARN, "no usable URL"),
    ],
)
def test_the_proxy_url_of_a_login_is_judged(proxy_url: str | None, verdict: Verdict, words: str) -> None:
    plane = ControlPlane(login=logged_in(org(URL, proxy_url=proxy_url)), routes=tuple(ALL.items()), unknown=NOT_FOUND)
    found = login.login_points_here(plane, NO_PING, SdkEnvironment(), CONSTRAINED)
    assert found.verdict is verdict
    assert words in found.summary
    with_gateway = replace(CONSTRAINED, gateway=proxy_url) if verdict is Verdict.PASS and words else None
    if with_gateway is not None:
        assert "not tested" not in login.login_points_here(plane, NO_PING, SdkEnvironment(), with_gateway).summary


@pytest.mark.parametrize(
    ("retry_after", "words"),
    [
        ("2", "python 0.34.0, python 0.48.1: another try after 2 s"),
        ("Tue, 01 Jan 2030 00:00:31 GMT", "python 0.48.1: the login fails after 30 s"),
        ("3600000", "the login fails at once, for it may take a minute"),
        ("1500ms", '4 tries in 3.5 s, and then "Invalid API key"'),
        ("1.5", "4 tries in 3.5 s"),
        (None, "4 tries in 3.5 s"),
    ],
)
def test_each_version_reads_retry_after_in_its_own_way(retry_after: str | None, words: str) -> None:
    named = {} if retry_after is None else {"Retry-After": retry_after}
    limited = replace(seen(429, "{}", LOGIN.path, Date="Tue, 01 Jan 2030 00:00:00 GMT"), status=429)
    limited = replace(limited, headers=(*limited.headers, *named.items()))
    plane = ControlPlane(login=Login(exchange=limited, keyed=True), routes=tuple(ALL.items()), unknown=NOT_FOUND)
    three = replace(CONSTRAINED, sdks=(("python", "0.34.0"), ("python", "0.48.1"), ("js", "3.35.0")))
    found = control_plane_routes_proxied(plane, NO_PING, three)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert words in found.summary
    assert "js 3.35.0: no second try" in found.summary
