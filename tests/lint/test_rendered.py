"""Rendered manifests against each other: what does not fit, and the twin that does."""

from __future__ import annotations

import pytest

from tests.lint.helpers import found

RENDERED = """apiVersion: v1
kind: ConfigMap
metadata: {name: braintrust-api, namespace: prod}
data:
  ORG_NAME: globex
  BRAINSTORE_URL: http://reader.prod:4000
  BRAINSTORE_FAST_READER_URL: http://fast.prod:4000
---
apiVersion: v1
kind: ConfigMap
metadata: {name: fast, namespace: prod}
data: {BRAINSTORE_PORT: "4000"}
---
apiVersion: v1
kind: Service
metadata: {name: reader, namespace: prod}
spec: {selector: {app: reader}}
---
apiVersion: v1
kind: Service
metadata: {name: fast, namespace: prod}
spec: {selector: {app: fast}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: fast, namespace: prod}
spec:
  replicas: 2
  template:
    metadata: {labels: {app: fast, tier: db}}
    spec:
      containers:
        - name: brainstore
          image: public.ecr.aws/braintrust/brainstore:v2.9.0
          envFrom: [{configMapRef: {name: fast}}]
          readinessProbe: {httpGet: {path: /, port: 4000}}
"""


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("", "", []),
        ("reader.prod", "reader.braintrust", [("fail", "config.namespace-matches", 6)]),
        ("reader.prod", "reader", []),
        ("replicas: 2", "replicas: 0", [("fail", "brainstore.fast-readers-run", 28)]),
        ("port: 4000}", "port: 4001}", [("fail", "config.ports-match", 36)]),
        ("ORG_NAME: globex", "ORG_NAME: <your org name on Braintrust>", [("fail", "config.organisation-is-set", 5)]),
    ],
)
def test_what_is_rendered(ours: str, theirs: str, expected: list[tuple[str, str, int]]) -> None:
    assert found({"all.yaml": RENDERED.replace(ours, theirs) if ours else RENDERED}) == expected
