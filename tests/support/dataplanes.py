"""For tests: the data planes on which the verdict of btdiag is held against real SDKs, each one fault of its own."""

from __future__ import annotations

import json

from tests.support.dataplane import Answer, Plane, Rule

LOGIN = "/api/apikey/login"
JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html"),)
PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body></body></html>"
NOT_FOUND = Answer(status=404, body=b'{"error":"Not Found"}')
REFUSED = b'{"error":"Forbidden"}'
HOSTED_ANSWER = Answer(status=421, body=b'{"error":"Misdirected Request"}')


def missing(*paths: str) -> tuple[Rule, ...]:
    """The paths are not found, whoever asks."""
    return tuple(Rule(path=path, answer=NOT_FOUND, exactly=not path.endswith("/")) for path in paths)


def status(path: str, number: int, body: bytes = b'{"error":"no"}', **more: object) -> tuple[Rule, ...]:
    """One path is answered so."""
    headers = HTML if body.startswith(b"<") else JSON
    return (Rule(path=path, answer=Answer(status=number, body=body, headers=headers, **more)),)  # type: ignore[arg-type]


def org(api_url: object, **more: object) -> tuple[dict[str, object], ...]:
    """One organisation whose API is there."""
    return ({"api_url": api_url, **more},)


CONTROL_PLANE_BUT_LOGIN = (
    "/api/project",
    "/api/project/",
    "/api/experiment/",
    "/api/dataset/",
    "/api/base_experiment/",
)

PLANES = (
    Plane(name="everything"),
    Plane(name="plain-http", scheme="http"),
    Plane(name="no-api", rules=missing("/api/")),
    Plane(name="only-login", rules=missing(*CONTROL_PLANE_BUT_LOGIN)),
    Plane(name="no-project-register", rules=missing("/api/project/register")),
    Plane(name="project-register-500", rules=status("/api/project/register", 500)),
    Plane(name="project-register-403-page", rules=status("/api/project/register", 403, PAGE)),
    Plane(
        name="project-register-api-gateway",
        rules=(
            Rule(
                path="/api/project/register",
                answer=Answer(
                    status=403,
                    body=b'{"message":"Missing Authentication Token"}',
                    headers=(*JSON, ("x-amzn-ErrorType", "MissingAuthenticationTokenException")),
                ),
            ),
        ),
    ),
    Plane(name="no-project", rules=missing("/api/project")),
    Plane(name="no-experiment-register", rules=missing("/api/experiment/register")),
    Plane(name="no-experiment-get", told_as="warn", rules=missing("/api/experiment/get")),
    Plane(name="no-base-experiment", rules=missing("/api/base_experiment/get_id")),
    Plane(name="no-dataset-register", rules=missing("/api/dataset/register")),
    Plane(name="no-version", rules=missing("/version")),
    Plane(name="no-logs3", rules=missing("/logs3")),
    Plane(name="logs3-503-page", told_by="gateway.routes-reach-their-backend", rules=status("/logs3", 503, PAGE)),
    Plane(name="logs3-502-once", rules=status("/logs3", 502, times=1)),
    Plane(name="no-v1-project", rules=missing("/v1/project", "/v1/project/")),
    Plane(name="no-v1-experiment", rules=missing("/v1/experiment", "/v1/experiment/")),
    Plane(name="no-v1-dataset", rules=missing("/v1/dataset", "/v1/dataset/")),
    Plane(name="no-v1", rules=missing("/v1/")),
    Plane(name="login-null", rules=status(LOGIN, 200, b"null")),
    Plane(name="login-page", rules=status(LOGIN, 200, PAGE)),
    Plane(name="login-401", rules=status(LOGIN, 401)),
    Plane(name="login-403", rules=status(LOGIN, 403, REFUSED)),
    Plane(name="login-404", rules=status(LOGIN, 404)),
    Plane(name="login-405", rules=status(LOGIN, 405)),
    Plane(name="login-421", rules=status(LOGIN, 421)),
    Plane(
        name="login-429",
        told_by="ratelimit.not-throttled",
        rules=(
            Rule(
                path=LOGIN,
                answer=Answer(status=429, body=b'{"error":"Too Many Requests"}', headers=(*JSON, ("Retry-After", "1"))),
            ),
        ),
    ),
    Plane(
        name="login-429-once",
        told_as="inconclusive",
        rules=(
            Rule(
                path=LOGIN,
                answer=Answer(
                    status=429, body=b'{"error":"Too Many Requests"}', headers=(*JSON, ("Retry-After", "1")), times=1
                ),
            ),
        ),
    ),
    Plane(name="login-500", rules=status(LOGIN, 500)),
    Plane(name="login-502-once", told_as="warn", rules=status(LOGIN, 502, times=1)),
    Plane(name="login-503-page", rules=status(LOGIN, 503, PAGE)),
    Plane(
        name="login-redirect",
        rules=(Rule(path=LOGIN, answer=Answer(status=302, headers=(("Location", "{url}/signin"),))),),
    ),
    Plane(
        name="login-redirect-307",
        rules=(Rule(path=LOGIN, answer=Answer(status=307, headers=(("Location", "{url}/api/project"),))),),
    ),
    Plane(name="login-slow", rules=(Rule(path=LOGIN, answer=Answer(delay=1.0)),)),
    Plane(name="login-hangs", rules=(Rule(path=LOGIN, answer=Answer(silent=True)),), patience=0.1),
    Plane(name="login-drops", rules=(Rule(path=LOGIN, answer=Answer(drops=True)),)),
    Plane(name="login-drops-once", told_as="warn", rules=(Rule(path=LOGIN, answer=Answer(drops=True, times=1)),)),
    Plane(name="login-cut", rules=(Rule(path=LOGIN, answer=Answer(cut=True)),)),
    Plane(name="login-gzip", rules=(Rule(path=LOGIN, answer=Answer(headers=(("Content-Encoding", "gzip"),))),)),
    Plane(
        name="login-gzip-broken", rules=(Rule(path=LOGIN, answer=Answer(headers=(("Content-Encoding", "x-gzip"),))),)
    ),
    Plane(
        name="all-gzip-broken", rules=(Rule(path="/api/", answer=Answer(headers=(("Content-Encoding", "x-gzip"),))),)
    ),
    Plane(name="login-deep", rules=status(LOGIN, 200, b"[" * 100000)),
    Plane(name="org-info-empty", organisations=()),
    Plane(name="org-info-object", rules=status(LOGIN, 200, json.dumps({"org_info": {}}).encode())),
    Plane(name="two-orgs-both-here", organisations=({"name": "a"}, {"name": "b"})),
    Plane(name="two-orgs-second-here", organisations=({"name": "a", "api_url": "{closed}"}, {"name": "b"})),
    Plane(
        name="two-orgs-second-chosen",
        organisations=({"name": "a", "api_url": "{closed}"}, {"name": "b"}),
        environment={"BRAINTRUST_ORG_NAME": "b"},
    ),
    Plane(name="org-name-empty", environment={"BRAINTRUST_ORG_NAME": ""}),
    Plane(name="api-url-variable-empty", environment={"BRAINTRUST_API_URL": ""}),
    Plane(name="org-not-there", environment={"BRAINTRUST_ORG_NAME": "other"}),
    Plane(name="org-without-name", organisations=({"name": None},)),
    Plane(name="org-without-id", organisations=({"id": None},)),
    Plane(name="api-url-null", organisations=org(None)),
    Plane(name="api-url-empty", organisations=org("")),
    Plane(name="api-url-nonsense", organisations=org("nonsense")),
    Plane(name="api-url-slash", organisations=org("{url}/")),
    Plane(name="api-url-upper-case", organisations=org("HTTPS://127.0.0.1:{port}")),
    Plane(
        name="api-url-localhost",
        told_by="sdk.login-points-here",
        told_as="warn",  # another name of the same server, with the same certificate
        hurts=False,
        organisations=org("https://localhost:{port}"),
    ),
    Plane(name="api-url-other-port", organisations=org("{closed}")),
    Plane(
        name="api-url-other-plane",
        told_by="sdk.login-points-here",
        told_as="warn",
        hurts=False,
        organisations=org("{other}"),
    ),
    Plane(name="api-url-path", organisations=org("{url}/prefix")),
    Plane(name="api-url-http-on-tls", organisations=org("{plain}")),
    Plane(name="api-url-http-redirects", organisations=org("{redirecting}")),
    Plane(name="api-url-misdirected", organisations=org("{misdirected}")),
    Plane(
        name="misdirected",
        rules=(
            Rule(path="/v1/", answer=HOSTED_ANSWER),
            Rule(path="/logs3", answer=HOSTED_ANSWER),
            Rule(path="/version", answer=HOSTED_ANSWER),
            Rule(path="/api/", answer=HOSTED_ANSWER),
        ),
    ),
    Plane(
        name="data-misdirected",
        rules=(
            Rule(path="/v1/", answer=HOSTED_ANSWER),
            Rule(path="/logs3", answer=HOSTED_ANSWER),
            Rule(path="/version", answer=HOSTED_ANSWER),
        ),
    ),
    Plane(name="wrong-ca", trusted=False, told_by="connection.tls-is-trusted"),
    Plane(
        name="all-401",
        told_by="readiness.root-answers",
        rules=(Rule(path="/", answer=Answer(status=401, body=b'{"error":"Unauthorized"}')),),
    ),
    Plane(name="api-blocked-by-waf", rules=status("/api/", 403, PAGE)),
    Plane(
        name="posts-blocked",
        rules=(Rule(path="/api/", method="POST", answer=Answer(status=405, body=PAGE, headers=HTML)),),
    ),
    Plane(name="public-url-empty", environment={"BRAINTRUST_APP_PUBLIC_URL": ""}),
    Plane(name="public-url-dead", environment={"BRAINTRUST_APP_PUBLIC_URL": "https://app.invalid"}),
    Plane(
        name="api-url-variable-wrong",
        told_by="sdk.app-url-consistent",
        told_as="warn",
        environment={"BRAINTRUST_API_URL": "{closed}"},
    ),
    Plane(
        name="api-url-variable-right",
        told_by="sdk.login-points-here",
        told_as="warn",
        hurts=False,
        organisations=org("{closed}"),
        environment={"BRAINTRUST_API_URL": "{url}"},
    ),
    Plane(
        name="app-url-dead",
        told_by="egress.required-hosts-reachable",
        options=("--role", "sdk", "--only", "egress.required-hosts-reachable"),
        environment={"BRAINTRUST_APP_URL": "{closed}"},
    ),
    Plane(name="app-url-slash", environment={"BRAINTRUST_APP_URL": "{url}/"}),
    Plane(name="app-url-elsewhere", options=(), rules=missing("/api/"), environment={"BRAINTRUST_APP_URL": "{other}"}),
)
