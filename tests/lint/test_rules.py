"""Each rule by version: what makes it speak, and the twin next to it that does not."""

from __future__ import annotations

import pytest

from tests.lint.helpers import BASE, found, judged, module, values

GOOGLE = """global:
  orgName: globex
cloud: google
objectStorage:
  google:
    brainstoreBucket: b
    apiBucket: a
brainstore:
  serviceAccount:
    googleServiceAccount: x@y.iam.gserviceaccount.com
"""
ROUTE = """virtualService:
  enabled: true
  http:
    - route:
        - destination: {host: braintrust-api, port: {number: %d}}
"""


@pytest.mark.parametrize("chart", ["1.0.0", "2.0.4", "3.0.0", "3.0.2", "5.0.0", "5.1.0", "6.2.2", "6.11.0", "2.5.0"])
def test_sound_values_are_silent_in_every_chart(chart: str) -> None:
    assert values(chart=chart) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("status,metrics,usage", []),
        ("Status,Metrics", [("warn", "telemetry.types-are-known", 4)]),
        ("status, metrics", [("warn", "telemetry.types-are-known", 4)]),
        ("status,logs", [("warn", "telemetry.data-stays", 4)]),
        ('""', [("warn", "telemetry.support-sees-the-deployment", 4)]),
        ("[status, metrics]", [("warn", "telemetry.types-are-known", 4)]),
        ("", [("warn", "telemetry.support-sees-the-deployment", 4)]),
    ],
)
def test_telemetry(text: str, expected: list[tuple[str, str, int]]) -> None:
    base = BASE.replace("cloud:", "  x: y\ncloud:").replace("  x: y", f"  controlPlaneTelemetry: {text}")
    base = base.replace("  orgName: globex\n", "  orgName: globex\n  labels: {}\n")
    assert values(base=base) == expected


def test_telemetry_that_a_chart_does_not_read_is_an_ignored_key() -> None:
    base = BASE.replace("cloud:", "  controlPlaneTelemetry: Odd\ncloud:")
    assert values(base=base, chart="1.0.0") == [("warn", "config.keys-are-read", 3)]


@pytest.mark.parametrize(
    ("version", "text", "expected"),
    [
        ("v6.6.0", '"status, metrics"', []),
        ("v6.6.0", '"Status"', [("fail", "telemetry.types-are-known", 5)]),
        ("v6.6.0", "null", [("fail", "telemetry.types-are-known", 5)]),
        ("v6.6.0", '["status"]', [("fail", "terraform.types-fit", 5)]),
        ("v2.3.0", '"status"', [("fail", "terraform.arguments-are-known", 5)]),
    ],
)
def test_telemetry_of_the_module(version: str, text: str, expected: list[tuple[str, str, int]]) -> None:
    assert module(f"  monitoring_telemetry = {text}", version) == expected


@pytest.mark.parametrize(
    ("chart", "component", "resources", "expected"),
    [
        ("6.11.0", "writer", "{limits: null}", []),
        ("6.11.0", "writer", "{limits: {}}", [("warn", "brainstore.limits-are-meant", 11)]),
        ("6.11.0", "writer", "{}", [("warn", "brainstore.limits-are-meant", 11)]),
        ("5.0.1", "writer", "null", [("warn", "brainstore.limits-can-be-removed", 11)]),
        ("6.2.2", "writer", "null", [("fail", "brainstore.limits-can-be-removed", 11)]),
        ("5.0.0", "writer", "{limits: null}", [("fail", "brainstore.limits-can-be-removed", 11)]),
        ("2.0.4", "writer", "{limits: null}", []),
        ("5.0.0", "writer", "{requests: {cpu: 40}}", [("fail", "brainstore.requests-fit-limits", 11)]),
        ("5.0.0", "writer", "{limits: {cpu: 32, nvidia.com/gpu: 1}}", [("warn", "config.keys-are-read", 11)]),
        ("5.0.1", "writer", "{limits: {cpu: 32, nvidia.com/gpu: 1}}", []),
        ("6.11.0", "writer", "{requests: {cpu: 4, memory: 16Gi}}", [("warn", "brainstore.limits-are-meant", 11)]),
        ("3.0.2", "writer", "{requests: {cpu: 4, memory: 16Gi}}", []),
        ("5.0.0", "writer", "{limits: {cpu: null}}", [("warn", "brainstore.limits-can-be-removed", 11)]),
        ("5.0.1", "writer", "{limits: {cpu: null}}", []),
        ("6.11.0", "writer", "{requests: {memory: 32GB}}", [("fail", "brainstore.quantities-are-valid", 11)]),
    ],
)
def test_resources(chart: str, component: str, resources: str, expected: list[tuple[str, str, int]]) -> None:
    assert values(f"brainstore:\n  {component}:\n    resources: {resources}\n", chart) == expected


def test_the_api_renders_without_limits_in_every_chart() -> None:
    assert values("api:\n  resources: {limits: null}\n", "5.0.0") == []


def test_a_later_file_that_brings_the_limits_back() -> None:
    first = BASE + "brainstore:\n  writer:\n    resources: {limits: null}\n"
    second = "brainstore:\n  writer:\n    resources:\n      limits: {cpu: 32}\n"
    told = found({"a.yaml": first, "b.yaml": second}, chart="6.11.0")
    assert told == [("warn", "brainstore.limits-are-meant", 4)]


@pytest.mark.parametrize(
    ("chart", "more", "expected"),
    [
        ("6.11.0", "api:\n  readinessProbe: {tcpSocket: {port: 8000}}\n", ["brainstore.probes-have-one-handler"]),
        ("6.11.0", "api:\n  readinessProbe: {httpGet: null, tcpSocket: {port: 8000}}\n", []),
        ("6.11.0", "api:\n  readinessProbe: null\n", []),
        ("6.11.0", "api:\n  readinessProbe: {httpGet: {path: /status}}\n", ["brainstore.readiness-recovers"]),
        ("6.11.0", "brainstore:\n  fastreader: {readinessProbe: {}}\n", ["brainstore.probes-are-read"]),
        ("4.1.0", "", ["brainstore.readiness-recovers"]),
        ("6.11.0", "brainstore:\n  reader: {service: {port: 4001}}\n", ["config.ports-match"]),
        ("3.0.2", "brainstore:\n  reader: {service: {port: 4001}}\n", []),
        ("6.11.0", "api:\n  service: {port: 80}\n", ["config.ports-match"]),
        (
            "6.11.0",
            "api:\n  service: {port: 9000}\n  extraEnvVars: [{name: TS_API_PORT, value: '9000'}]\n"
            "  readinessProbe: {httpGet: {port: 9000}}\n  livenessProbe: {httpGet: {port: 9000}}\n",
            [],
        ),
        ("6.11.0", "aiGateway: {useGateway: true}\n", ["config.gateway-is-enabled"]),
        ("6.11.0", "aiGateway: {useGateway: true, enabled: true}\n", []),
        ("6.11.0", "brainstore:\n  fastreader: {replicas: 0}\n", ["brainstore.fast-readers-run"]),
        ("3.0.2", "brainstore:\n  fastreader: {replicas: 0}\n", ["config.keys-are-read"]),
        ("6.11.0", "brainstore:\n  fastReader: {replicas: 1}\n", ["config.keys-are-read"]),
        ("6.11.0", "brainstore:\n  reader: {volume: {size: 100Gi}}\n", ["brainstore.volume-settings-count"]),
        ("6.11.0", "brainstore:\n  locksBackend: Redis\n", ["config.values-are-known"]),
        ("6.11.0", "api:\n  replicas: many\n", ["config.types-fit"]),
        ("6.11.0", "api:\n  replicas: '2'\n", []),
        ("6.11.0", "api: text\n", ["config.types-fit"]),
        ("6.11.0", "api:\n  extraEnvVars: {A: b}\n", ["config.variables-are-a-list"]),
        ("6.11.0", "api:\n  extraEnvVars: [A=b]\n", ["config.variables-are-a-list"]),
        ("6.11.0", "api:\n  extraEnvVars: [{name: A, value: yes}]\n", ["config.variables-are-text"]),
        ("6.11.0", "api:\n  podSecurityContext: {runAsUser: 1}\n", []),
        ("6.2.1", "api:\n  podSecurityContext: {runAsUser: 1}\n", ["config.keys-are-read"]),
        ("6.11.0", "virtualService: {enabled: true}\n", []),
        ("6.11.0", ROUTE % 8000, []),
        ("6.11.0", ROUTE % 9000, ["config.virtual-service-leads-to-the-api"]),
        ("6.11.0", "x-anchors: {a: 1}\n", []),
        ("6.11.0", "api:\n  replicas: null\n", ["config.types-fit"]),
    ],
)  # fmt: skip
def test_chart(chart: str, more: str, expected: list[str]) -> None:
    assert sorted(id_ for _, id_, _ in values(more, chart)) == sorted(expected)


@pytest.mark.parametrize("replicas", ["many", "null"])
def test_what_must_be_a_number_is_said_so(replicas: str) -> None:
    result = judged({"values.yaml": BASE + f"api: {{replicas: {replicas}}}\n"}, chart="6.11.0")
    (one,) = result.findings
    assert "number" in one.summary
    assert one.expected == "a whole number"


def test_the_namespace_of_the_release_is_the_one_the_api_looks_in() -> None:
    assert values(namespace="prod") == [("fail", "config.namespace-matches", 1)]
    assert values(namespace="braintrust") == []
    assert values(base=BASE.replace("cloud:", "  createNamespace: true\ncloud:"), namespace="prod") == []


def test_an_upgrade_that_asks_for_more() -> None:
    assert values(chart="5.0.0", upgrade_from="4.1.0") == [("warn", "brainstore.capacity-is-there", 1)]
    assert values(chart="6.11.0", upgrade_from="6.0.0") == []


def test_google_needs_its_account() -> None:
    bare = GOOGLE.split("brainstore:\n  serviceAccount")[0]
    assert found({"values.yaml": bare}, chart="6.11.0") == [("fail", "config.required-values-are-set", 3)]
    assert found({"values.yaml": bare}, chart="3.0.6") != []  # the default of its readiness, nothing of the account
    assert found({"values.yaml": GOOGLE}, chart="6.11.0") == []


@pytest.mark.parametrize(
    ("idle", "keep", "expected"),
    [(300, 310, []), (300, 300, ["warn"]), (300, 120, ["fail"]), (60, None, []), (300, None, ["fail"])],
)
def test_keep_alive_against_an_alb(idle: int, keep: int | None, expected: list[str]) -> None:
    env = f"api:\n  extraEnvVars: [{{name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: '{keep}'}}]\n" if keep else ""
    ingress = f"""apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: x
  annotations:
    alb.ingress.kubernetes.io/load-balancer-attributes: a.b=true,idle_timeout.timeout_seconds={idle}
spec:
  defaultBackend: {{service: {{name: braintrust-api}}}}
"""
    told = found({"values.yaml": BASE + env, "ingress.yaml": ingress}, chart="6.11.0")
    assert [(verdict, id_) for verdict, id_, _ in told] == [
        (verdict, "keepalive.outlives-the-load-balancer") for verdict in expected
    ]
    other = ingress.replace("braintrust-api", "web")
    assert found({"values.yaml": BASE + env, "ingress.yaml": other}, chart="6.11.0") == []


@pytest.mark.parametrize(
    ("version", "arguments", "expected"),
    [
        ("v6.6.0", "  enable_ecs_api = true", ["keepalive.outlives-the-load-balancer"]),
        ("v6.6.0", "  enable_ecs_api = false", []),
        ("v5.3.0", "  enable_ecs_api = true\n  create_ecs_api = true", ["keepalive.outlives-the-load-balancer"]),
        ("v6.6.0", "  enable_ai_gateway = true", ["terraform.switches-go-together"]),
        ("v4.0.0", "  enable_ecs_api = true", ["terraform.arguments-are-known"]),
        ("v4.0.4", "  brainstore_enable_retention = true", []),
        ("v6.6.0", "  gateway_cpu = 1", ["terraform.arguments-are-known"]),
        ("v6.6.0", "  outbound_rate_limit_max_requests = -5", ["ratelimit.values-are-valid"]),
        ("v6.6.0", "  outbound_rate_limit_max_requests = \"5\"", []),
        ("v6.6.0", "  service_extra_env_vars = { APIHandler = {} }", ["terraform.types-fit"]),
        ("v6.6.0", "  brainstore_instance_type = \"c8gd.24xlarge\"", ["brainstore.fast-reader-mirrors-reader"]),
        ("v6.6.0", "  whitelisted_origins = [\"https://a.example/\"]", ["cors.origins-are-bare"]),
        ("v6.6.0", "  kms_key_arn = \"\"\n  kms_key_arn = \"\"", ["terraform.arguments-stand-once"]),
        ("v6.6.0", "  kms_key_arn = module.other.arn", []),
    ],
)  # fmt: skip
def test_module(version: str, arguments: str, expected: list[str]) -> None:
    assert sorted(id_ for _, id_, _ in module(arguments, version)) == expected


def test_variables_of_terraform_are_followed() -> None:
    source = "github.com/braintrustdata/terraform-aws-braintrust-data-plane?ref=v6.6.0"
    main = f"""module "braintrust" {{
  source              = "{source}"
  braintrust_org_name = "globex"
  monitoring_telemetry = var.telemetry
}}
variable "telemetry" {{}}
"""
    told = found({"main.tf": main, "prod.tfvars": 'telemetry = "Status"\nother = 1\n'})
    assert told == [("fail", "telemetry.types-are-known", 1), ("warn", "terraform.tfvars-are-declared", 2)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BRAINTRUST_APP_URL=https://bt.globex.example\n", ["appurl.links-lead-to-the-app"]),
        ("BRAINTRUST_APP_URL=https://www.braintrust.dev\n", []),
        ("BRAINTRUST_APP_URL=bt.globex.example\n", ["appurl.is-a-url"]),
        ("BRAINTRUST_APP_URL=https://bt.x\nBRAINTRUST_APP_PUBLIC_URL=\n", ["appurl.links-lead-to-the-app"]),
        ("TS_API_KEEPALIVE_TIMEOUT_SECONDS=300\n", ["config.variables-are-known"]),
        ("TS_API_KEEP_ALIVE_TIMEOUT_SECONDS=300s\n", ["keepalive.is-a-number"]),
        ("DISABLE_SYSADMIN_TELEMETRY=True\n", ["telemetry.sysadmin-value"]),
        ("DISABLE_SYSADMIN_TELEMETRY=true # yes\n", []),
        ("OUTBOUND_RATE_LIMIT_MAX_REQUESTS=100/min\n", ["ratelimit.values-are-valid"]),
        ("MY_OWN_NAME_OF_SOMETHING=1\nCONTROL_PLANE_TELEMETRY_URL=x\n", []),
    ],
)
def test_env_files(text: str, expected: list[str]) -> None:
    assert [id_ for _, id_, _ in found({"x.env": text})] == expected


@pytest.mark.parametrize(("condition", "silent"), [("age = 30", False), ('age = 30\n with_state = "ARCHIVED"', True)])
def test_bucket_rules_of_google(condition: str, silent: bool) -> None:
    text = f"""resource "google_storage_bucket" "b" {{
  name = "globex-brainstore"
  lifecycle_rule {{
    action {{
      type = "Delete"
    }}
    condition {{
      {condition}
    }}
  }}
}}
"""
    assert (found({"main.tf": text}) == []) is silent


def test_what_another_tool_puts_in_is_not_judged() -> None:
    base = BASE.replace("cloud: aws", "cloud: ${CLOUD}").replace("globex", "${ORG}")
    more = "api:\n  replicas: ${N}\n  service: {port: '{{ .port }}'}\nbrainstore:\n  locksBackend: ${LOCKS}\n"
    assert values(more, base=base) == []
    compose = (
        "services:\n  api:\n    image: x/standalone-api:v1\n"
        "    environment:\n      - CONTROL_PLANE_TELEMETRY=${T:-status}\n"
    )
    assert found({"compose.yaml": compose}) == []
    assert found({"x.env": "OUTBOUND_RATE_LIMIT_MAX_REQUESTS=$LIMIT\n"}) == []


def test_one_nothing_for_another_is_no_wrong_type() -> None:
    assert values("api:\n  tolerations: {}\n  nodeSelector: []\n  extraEnvVars: {}\n") == []


@pytest.mark.parametrize(
    ("version", "more", "told"),
    [
        ("v6.6.0", "", True),
        ("v6.6.0", '  internal_observability_api_key = "x"', False),
        ("v5.5.0", '  internal_observability_api_key = "x"', True),
    ],
)
def test_the_gateway_of_the_module_sends_telemetry_all_the_same(version: str, more: str, told: bool) -> None:
    switch = "enable_ai_gateway" if version == "v5.5.0" else "create_ai_gateway"
    found_ = module(f'  monitoring_telemetry = ""\n  {switch} = true\n{more}', version)
    assert (("warn", "telemetry.gateway-follows", 5) in found_) is told


def test_an_excerpt_lacks_nothing() -> None:
    text = 'module "braintrust" {\n  source = "github.com/braintrustdata/terraform-braintrust-data-plane"\n%s}\n'
    assert found({"main.tf": text % "  # ... your existing configuration ...\n"}) == []
    assert [id_ for _, id_, _ in found({"main.tf": text % ""})] == ["terraform.required-arguments-are-set"]
