"""What real helm and terraform said of the guide, claim by claim: the input that shows it, and its sound twin."""

from __future__ import annotations

import pytest

from tests.lint.helpers import BASE, found, module, values

KEEP = "api:\n  extraEnvVars:\n    - {name: TS_API_KEEP_ALIVE_TIMEOUT_SECONDS, value: '%s'}\n"
URI = "brainstore:\n  writer: {extraEnvVars: [{name: BRAINSTORE_CODE_BUNDLE_URI, value: %s}]}\n"
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: bt}
spec:
  ingressClassName: %s
  defaultBackend: {service: {name: braintrust-api, port: {number: 8000}}}
"""
CLASS = """apiVersion: elbv2.k8s.aws/v1beta1
kind: IngressClassParams
metadata: {name: bt}
spec:
  loadBalancerAttributes:
    - key: idle_timeout.timeout_seconds
      value: "%s"
"""


@pytest.mark.parametrize(
    ("claim", "chart", "more", "expected"),
    [
        (3, "6.2.1", "api: {image: null}\n", [("fail", "config.types-fit", 9)]),
        (3, "6.11.0", "aiGateway: null\n", [("fail", "config.types-fit", 9)]),
        (3, "6.5.0", "api: {healthServer: null}\n", [("fail", "config.types-fit", 9)]),
        (3, "6.11.0", "azure: null\n", []),
        (3, "6.2.1", "brainstore: {writer: {volume: null}}\n", []),
        (3, "6.2.2", "brainstore: {writer: {volume: null}}\n", [("fail", "config.types-fit", 9)]),
        (7, "1.0.0", "brainstore: {resources: {requests: {cpu: 20}}}\n",
         [("fail", "brainstore.requests-fit-limits", 9)]),
        (7, "1.0.0", "brainstore: {resources: {requests: {cpu: 10}}}\n", []),
        (10, "6.11.0", "api: {readinessProbe: {httpGet: {port: 9000}}}\n", [("fail", "config.ports-match", 9)]),
        (10, "6.11.0", "api: {readinessProbe: {httpGet: {port: 8001}}}\n", []),
        (18, "5.1.0", URI % "''", [("warn", "brainstore.addresses-are-derived", 10)]),
        (18, "5.1.0", URI % "s3://globex-bundles", []),
        (18, "5.0.1", URI % "s3://other", []),
        (
            20,
            "6.11.0",
            "api: {extraEnvVars: [{name: TS_API_PORT, value: '9000'}]}\n",
            [("fail", "config.ports-match", 9)],
        ),
        (20, "4.1.0", "api: {healthServer: {port: 9001}, readinessProbe: {httpGet: {path: /}}}\nbrainstore:\n"
         "  readinessProbe: {httpGet: {path: /}}\n", [("fail", "config.ports-match", 9)]),
        (20, "6.11.0", "api: {healthServer: {port: 9001}}\n", []),
        (36, "6.11.0", "api: {extraEnvVars: [{FOO: bar}]}\n", [("fail", "config.variables-are-a-list", 9)]),
        (36, "6.11.0", "api: {podLabels: {tier: 1}}\n", [("fail", "config.types-fit", 9)]),
        (36, "6.11.0", "api: {podLabels: {tier: '1'}}\n", []),
        (36, "6.11.0", "api: {annotations: {service: {internal: true}}}\n", [("fail", "config.types-fit", 9)]),
        (36, "6.11.0", "api: {name: 5}\n", [("fail", "config.types-fit", 9)]),
        (
            36,
            "6.11.0",
            "brainstore: {writer: {ephemeralStorage: {limit: 2TB}}}\n",
            [("fail", "brainstore.quantities-are-valid", 9)],
        ),
        (36, "6.11.0", "brainstore: {writer: {ephemeralStorage: {limit: 2T}}}\n", []),
    ],
)  # fmt: skip
def test_values(claim: int, chart: str, more: str, expected: list[tuple[str, str, int]]) -> None:
    assert values(more, chart) == expected, f"claim {claim}"


@pytest.mark.parametrize(
    ("version", "arguments", "expected"),
    [
        ("v6.6.0", '  brainstore_extra_env_vars_writer = { BRAINSTORE_CODE_BUNDLE_URI = "s3://x" }',
         ["brainstore.addresses-are-derived"]),
        ("v4.3.0", '  brainstore_extra_env_vars_writer = { BRAINSTORE_CODE_BUNDLE_URI = "s3://x" }', []),
        ("v6.0.0", "  braintrust_api_cpu_autoscaling = { target_value = 40 }", []),
        ("v6.0.0", '  braintrust_api_cpu_autoscaling = { target_value = "much" }', ["terraform.types-fit"]),
        ("v6.0.0", "  braintrust_api_min_count = 9\n  braintrust_api_max_count = 3",
         ["terraform.switches-go-together"]),
        ("v6.6.0", "  create_vpc = false", ["terraform.switches-go-together"] * 5),
        ("v2.3.9", "  create_vpc = false", ["terraform.arguments-are-known"]),
        ("v6.6.0", '  existing_quarantine_vpc_id = "vpc-1"', ["terraform.switches-go-together"] * 3),
        ("v6.6.0", "  braintrust_api_log_retention_days = 45", ["terraform.values-are-valid"]),
        ("v6.6.0", "  braintrust_api_log_retention_days = 90", []),
        ("v2.0.0", '  brainstore_default = "forced"', []),
        ("v2.1.0", '  brainstore_default = "forced"', ["terraform.values-are-valid"]),
        ("v6.6.0", '  allowed_org_ids = "globex"', ["terraform.values-are-valid"]),
        ("v6.5.2", '  cloudfront_minimum_protocol_version = "TLSv1.2_2021"', ["terraform.switches-go-together"]),
        ("v6.6.0", '  s3_server_access_logging = { bucket = "b", prefix = "logs" }',
         ["terraform.switches-go-together"]),
        ("v6.6.0", '  s3_server_access_logging = { prefix = "logs/" }', ["terraform.types-fit"]),
        ("v5.3.0", '  gateway_extra_env_vars = { BRAINSTORE_LICENSE_KEY = "x" }', ["terraform.values-are-valid"]),
        ("v4.4.0", "  gateway_target_cpu_utilization = 0", ["terraform.values-are-valid"]),
    ],
)  # fmt: skip
def test_modules(version: str, arguments: str, expected: list[str]) -> None:
    given = '  deployment_name = "globex"\n  brainstore_license_key = "x"\n'
    told = [
        (one, line)
        for _, one, line in module(given + arguments, version)
        if one != "terraform.required-arguments-are-set"
    ]
    assert [one for one, _ in told] == expected
    assert all(line >= 7 for _, line in told)


GCS = """module "braintrust" {
  source          = "github.com/braintrustdata/terraform-google-braintrust-data-plane?ref=v1.5.2"
  deployment_name = "globex"

  custom_gcs_brainstore_lifecycle_rules = [{
    action    = { type = "Delete" }
    condition = { age = 30 }
  }]
}
"""


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("", "", [("fail", "retention.buckets-keep-live-data", 7)]),
        ("age = 30", 'age = 30, with_state = "ARCHIVED"', []),
        ('type = "Delete"', 'type = "SetStorageClass", storage_class = "NEARLINE"', []),
        ('type = "Delete"', "", [("fail", "terraform.types-fit", 5), ("fail", "retention.buckets-keep-live-data", 7)]),
    ],
)
def test_lifecycle_rules_of_the_google_module(ours: str, theirs: str, expected: list[tuple[str, str, int]]) -> None:
    assert found({"main.tf": GCS.replace(ours, theirs) if ours else GCS}) == expected


@pytest.mark.parametrize(
    ("front", "keep", "expected"),
    [
        (INGRESS % "alb", "", []),
        (INGRESS % "alb", KEEP % 60, [("warn", "keepalive.outlives-the-load-balancer", 11)]),
        (INGRESS % "nginx", KEEP % 30, [("fail", "keepalive.outlives-the-load-balancer", 11)]),
        (INGRESS % "traefik", KEEP % 70, []),
        (CLASS % 400, "", [("fail", "keepalive.outlives-the-load-balancer", 7)]),
        (CLASS % 400, KEEP % 410, []),
        ("", KEEP % 30, [("warn", "keepalive.outlives-the-load-balancer", 11)]),
        ("", KEEP % 310000, [("warn", "keepalive.is-a-number", 11)]),
    ],
)
def test_load_balancers(front: str, keep: str, expected: list[tuple[str, str, int]]) -> None:
    files = {"values.yaml": BASE + keep} | ({"front.yaml": front} if front else {})
    assert found(files, chart="6.11.0") == expected


@pytest.mark.parametrize(
    ("resource", "line"),
    [
        ('resource "aws_lb" "braintrust" {\n  idle_timeout = var.idle\n}\nvariable "idle" { default = 400 }\n', 4),
        ('resource "aws_lb" "braintrust" {\n  idle_timeout = var.idle\n}\nvariable "idle" { default = 40 }\n', 0),
        ('resource "aws_lb" "other" {\n  idle_timeout = 400\n}\n', 0),
        ('resource "google_compute_backend_service" "braintrust" {\n  protocol = "HTTP"\n}\n', 1),
        ('resource "google_compute_backend_service" "braintrust" {\n  protocol = "TCP"\n}\n', 0),
    ],
)
def test_load_balancers_of_terraform(resource: str, line: int) -> None:
    told = found({"values.yaml": BASE, "front.tf": resource}, chart="6.11.0")
    assert told == ([("fail", "keepalive.outlives-the-load-balancer", line)] if line else [])


def test_a_later_list_that_loses_variables_of_an_earlier_one() -> None:
    later = "api:\n  extraEnvVars:\n    - {name: %s, value: x}\n"
    files = {"a.yaml": BASE + KEEP % 90, "b.yaml": later % "NODE_ENV"}
    assert found(files, chart="6.11.0") == [("warn", "config.lists-are-whole", 2)]
    files["b.yaml"] = later.replace("x}", "'90'}") % "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS"
    assert found(files, chart="6.11.0") == []


def test_a_name_that_is_nearly_the_one_of_the_keep_alive() -> None:
    assert found({"a.env": "TS_API_KEEP_ALIVE_TIMEOUT=300\n"}) == [("warn", "config.variables-are-known", 1)]


UMBRELLA = (
    "apiVersion: v2\nname: u\nversion: 1.0.0\ndependencies: [{name: braintrust, version: 6.11.0, repository: x}]\n"
)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", []),
        ("other: {a: b}\n", []),
        ("api: {replicas: 3}\n", [("warn", "config.keys-are-read", 10)]),
        ("brainstore: {reader: {replicas: 3}}\n", [("warn", "config.keys-are-read", 10)]),
    ],
)
def test_keys_outside_of_the_dependency(more: str, expected: list[tuple[str, str, int]]) -> None:
    inner = "".join(f"  {line}\n" for line in BASE.splitlines())
    assert found({"Chart.yaml": UMBRELLA, "values.yaml": f"braintrust:\n{inner}{more}"}) == expected


BUCKET = """resource "aws_s3_bucket_lifecycle_configuration" "x" {
  bucket = %s
  rule {
    status = "Enabled"
    expiration { %s }
  }
}
"""


@pytest.mark.parametrize(
    ("bucket", "expiration", "speaks"),
    [
        ("module.braintrust-data-plane.brainstore_s3_bucket_name", "days = 30", True),
        ('"globex-brainstore"', 'date = "2027-01-01T00:00:00Z"', True),
        ('"globex-brainstore"', "expired_object_delete_marker = true", False),
        ("module.other.bucket", "days = 30", False),
    ],
)
def test_lifecycle_rules_of_buckets(bucket: str, expiration: str, speaks: bool) -> None:
    told = found({"main.tf": BUCKET % (bucket, expiration)})
    assert told == ([("fail", "retention.buckets-keep-live-data", 5)] if speaks else [])


@pytest.mark.parametrize(
    ("before", "chart", "expected"),
    [
        ("2.2.1", "2.5.0", True),
        ("2.5.0", "3.0.0", True),
        ("3.0.1", "3.0.2", True),
        ("3.0.1", "6.11.0", False),
        ("2.2.1", "3.0.0", False),
    ],
)
def test_claim_39_versions_that_are_not_what_their_number_says(before: str, chart: str, *, expected: bool) -> None:
    told = values(chart=chart, upgrade_from=before)
    assert (("warn", "config.chart-is-the-one-meant", 1) in told) is expected


LICENCE = '  braintrust_api_extra_env_vars = { BRAINSTORE_LICENSE_KEY = "x" }\n'


@pytest.mark.parametrize(
    ("version", "arguments", "expected"),
    [
        ("v6.0.0", '  enable_ecs_api = true\n  monitoring_telemetry = "status,metrics"', True),
        ("v6.4.0", '  enable_ecs_api = true\n  monitoring_telemetry = "status,metrics"', False),
        ("v6.0.0", '  enable_ecs_api = true\n  monitoring_telemetry = "status"', False),
        ("v6.0.0", "  enable_ecs_api = true", False),
        ("v6.0.0", '  monitoring_telemetry = "status,metrics"', False),
        ("v6.0.0", LICENCE + '  enable_ecs_api = true\n  monitoring_telemetry = "status,metrics"', False),
    ],
)
def test_claim_25_metrics_without_a_licence(version: str, arguments: str, *, expected: bool) -> None:
    assert any(id_ == "telemetry.metrics-have-a-licence" for _, id_, _ in module(arguments, version)) is expected


@pytest.mark.parametrize(
    ("version", "more", "expected"),
    [
        ("v5.4.0", "  enable_ai_gateway = true", False),
        ("v5.5.0", "  enable_ai_gateway = true", True),
        ("v5.6.0", "  enable_ai_gateway = true", True),
        ("v5.6.0", '  enable_ai_gateway = true\n  internal_observability_api_key = "x"', False),
        ("v6.6.0", "", False),
    ],
)
def test_claim_24_the_gateway_does_not_read_the_setting(version: str, more: str, *, expected: bool) -> None:
    told = module(f'  monitoring_telemetry = ""\n{more}', version)
    assert any(id_ == "telemetry.gateway-follows" for _, id_, _ in told) is expected


def test_a_route_to_another_port_than_the_service_has() -> None:
    route = """virtualService:
  enabled: true
  http:
    - route:
        - destination: {host: braintrust-api, port: {number: %s}}
"""
    assert values(route % 8000) == []
    assert values(route % 9000) == [("fail", "config.virtual-service-leads-to-the-api", 11)]
