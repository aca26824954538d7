"""What files state of a data plane that a run can see: every place for it, and nothing of what is another's."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from btdiag.config.files import leaves
from btdiag.config.stated import (
    CUSTOM_CA,
    FAST_READERS,
    FRONT_IDLE,
    HOST,
    IMAGE,
    MOST,
    ORIGIN,
    REPLICAS,
    TLS_MINIMUM,
    in_force,
    stated,
)

SOURCE = "github.com/braintrustdata/terraform-aws-braintrust-data-plane"
ALB = "alb.ingress.kubernetes.io"


def found(folder: Path, text: str, name: str = "values.yaml") -> list[tuple[str, str]]:
    (folder / name).write_text(text)
    return [(one.name, one.value) for one in stated(leaves(folder / name))]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("values.yaml", "api: {image: {tag: v2.9.0}}", [(IMAGE, "v2.9.0")]),
        ("values.yaml", "brainstore: {image: {tag: v2.9.0}}\naiGateway: {image: {tag: v1.0.0}}", []),
        ("all.yaml", "image: public.ecr.aws/braintrust/standalone-api:v2.9.0@sha256:0", [(IMAGE, "v2.9.0")]),
        ("all.yaml", "image: public.ecr.aws/braintrust/brainstore:v2.9.0", []),
        ("main.tf", 'module "b" {\n  braintrust_api_version_override = "v2.9.0"\n}\n', [(IMAGE, "v2.9.0")]),
        (
            "a.yaml",
            f"name: braintrust\n{ALB}/ssl-policy: ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
            [(TLS_MINIMUM, "1.2")],
        ),
        ("a.yaml", f"name: braintrust\n{ALB}/ssl-policy: ELBSecurityPolicy-2016-08", [(TLS_MINIMUM, "1.0")]),
        ("a.yaml", f"name: braintrust\n{ALB}/ssl-policy: mine", []),
        ("a.yaml", "name: braintrust\ndata: {ssl-protocols: TLSv1.3 TLSv1.2}", [(TLS_MINIMUM, "1.2")]),
        ("main.tf", 'cloudfront_minimum_protocol_version = "TLSv1.3_2025"\n', [(TLS_MINIMUM, "1.3")]),
        ("a.yaml", "name: braintrust\nservers: [{tls: {minProtocolVersion: TLSV1_2}}]", [(TLS_MINIMUM, "1.2")]),
        (
            "values.yaml",
            'api:\n  extraEnvVars: [{name: WHITELISTED_ORIGINS, value: "https://a.example, https://b.example/"}]',
            [(ORIGIN, "https://a.example")],
        ),
        ("x.env", "WHITELISTED_ORIGIN=https://a.example\n", [(ORIGIN, "https://a.example")]),
        ("main.tf", 'whitelisted_origins = ["https://a.example"]\n', [(ORIGIN, "https://a.example")]),
        ("main.tf", "whitelisted_origins = var.unknown\n", []),
        (
            "a.yaml",
            f"name: braintrust\n{ALB}/load-balancer-attributes: a=b,idle_timeout.timeout_seconds=300",
            [(FRONT_IDLE, "300")],
        ),
        (
            "a.yaml",
            "spec: {rules: [{host: API.globex.example, x: {name: braintrust-api}}]}",
            [(HOST, "api.globex.example")],
        ),
        ("values.yaml", "virtualService: {hosts: [api.globex.example]}", [(HOST, "api.globex.example")]),
        (
            "main.tf",
            f'module "b" {{\n  source = "{SOURCE}"\n  custom_domain = "a.example"\n}}\n',
            [(HOST, "a.example")],
        ),
        ("main.tf", 'module "b" {\n  source = "./web"\n  custom_domain = "a.example"\n}\n', []),
        ("a.yaml", "spec: {rules: [{host: grafana.example, x: {name: grafana}}]}", []),
        ("a.yaml", f"name: grafana\n{ALB}/ssl-policy: ELBSecurityPolicy-2016-08", []),
        ("values.yaml", "virtualService: {hosts: ['{{ .Values.host }}', '*']}", []),
        ("values.yaml", "api: {password: hunter2, host: db.example}", []),
    ],
)
def test_what_is_found(tmp_path: Path, name: str, text: str, expected: list[tuple[str, str]]) -> None:
    assert found(tmp_path, text, name) == expected


def test_many_are_bounded_and_each_stands_once(tmp_path: Path) -> None:
    hosts = ", ".join(f"{{host: h{number % 80}.example, name: braintrust}}" for number in range(300))
    assert len(found(tmp_path, f"spec: {{rules: [{hosts}]}}")) == MOST


def test_the_last_path_that_speaks_of_a_kind_counts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("api: {image: {tag: v1.0.0}}\nvirtualService: {hosts: [a.example]}\n")
    (tmp_path / "b.yaml").write_text("api: {image: {tag: v2.0.0}}\n")
    both = [stated(leaves(tmp_path / name)) for name in ("a.yaml", "b.yaml")]
    assert [(one.value, one.where) for one in in_force(both)] == [
        ("v2.0.0", "b.yaml line 1"),
        ("a.example", "a.yaml line 2"),
    ]


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
KEY = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"
SECRET = """apiVersion: v1
data:
  {key}: {value}
kind: Secret
metadata:
  name: {name}
---
"""


def secret(name: str, key: str = "ca.crt", value: str = "") -> str:
    encoded = base64.b64encode(f"{PEM}\n{KEY}\n".encode()).decode()
    return SECRET.format(name=name, key=key, value=value or encoded)


NAMED = "api: {customCA: {enabled: true, secretName: ours, secretKey: roots.pem}}\n---\n"
INGRESS = (
    "apiVersion: v1\nkind: Ingress\nspec: {tls: [{secretName: edge}], defaultBackend: {service: {name: %s}}}\n---\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (secret("braintrust-runtime-ca"), [(CUSTOM_CA, PEM)]),
        (NAMED + secret("ours", "roots.pem"), [(CUSTOM_CA, PEM)]),
        (secret("other", "roots.pem") + NAMED, []),
        (secret("ours", "tls.key") + NAMED, []),
        (INGRESS % "braintrust-api" + secret("edge"), [(CUSTOM_CA, PEM)]),
        (INGRESS % "grafana" + secret("edge"), []),
        (secret("postgres-ca") + secret("braintrust-runtime-ca", value="bm9wZQ=="), []),
        ("kind: List\nitems: [{kind: ConfigMap, metadata: {name: braintrust-runtime-ca}, data: {ca.crt: '"
         + PEM.replace("\n", "\n\n") + "'}}]\n", [(CUSTOM_CA, PEM)]),
        ("api: {replicas: 4}\nbrainstore: {reader: {replicas: 2}}\n", [(REPLICAS, "4")]),
        ("kind: Deployment\nmetadata: {name: braintrust-api}\nspec: {replicas: 3}\n---\n"
         "kind: Deployment\nmetadata: {name: brainstore-reader}\nspec: {replicas: 2}\n", [(REPLICAS, "3")]),
        ("kind: HorizontalPodAutoscaler\n---\napi: {replicas: 4}\n", []),
        ("api: {replicas: many}\n", []),
        ("BRAINSTORE_FAST_READER_URL: http://f:4000\n", [(FAST_READERS, "http://f:4000")]),
        ("env: [{name: BRAINSTORE_FAST_READER_URL, value: 'http://f:4000'}]\n", [(FAST_READERS, "http://f:4000")]),
    ],
)  # fmt: skip
def test_what_objects_state(tmp_path: Path, text: str, expected: list[tuple[str, str]]) -> None:
    assert found(tmp_path, text) == expected
