"""Configuration files beside a data plane that does as they say, or not."""

from btdiag.lab.faults.http import LimitsSizes, NamesReplicas
from btdiag.lab.faults.names import Declares
from btdiag.lab.plan import Backend, Balancer
from btdiag.lab.scenario import Scenario

ORIGIN = "https://tools.lab.example"
FILES = """api:
  image:
    tag: {tag}
  extraEnvVars:
    - name: WHITELISTED_ORIGINS
      value: https://tools.lab.example
---
kind: Ingress
metadata:
  annotations:
    alb.ingress.kubernetes.io/load-balancer-attributes: idle_timeout.timeout_seconds={idle}
    alb.ingress.kubernetes.io/ssl-policy: ELBSecurityPolicy-TLS13-1-{tls}-2021-06
spec:
  rules:
    - host: {host}
      http:
        paths:
          - backend:
              service:
                name: braintrust-api
"""
# The lab's load balancer keeps connections to the API for another time than clients' own; a file has one for both.
OPTIONS = ("--lb-idle-timeout", "0.7")
APART = ("config.declared-ca-is-presented", "config.declared-replicas-answer")
NO_LIMITS = ("config.body-limit-is-effective", "config.read-timeout-is-effective", *APART)
OTHERS = tuple(
    f"config.{name}"
    for name in ("image-is-rolled-out", "origins-are-allowed", "tls-minimum-is-effective", "idle-timeout-is-effective")
)
LIMITS_ALONE = (*OTHERS, *APART)

IN_EFFECT = Scenario(
    name="config-in-effect",
    summary="All that the configuration files declare is in effect.",
    faults=(
        Declares(FILES.format(tag="v1.1.32", idle=2, tls=2, host="api.lab.example")),
        Balancer(front_idle=2.0),
        Backend(origins=(ORIGIN,)),
    ),
    warns=("keepalive.front-idle-timeout-suffices",),
    skips=NO_LIMITS,
    options=OPTIONS,
)
NOT_ROLLED_OUT = Scenario(
    name="config-not-rolled-out",
    summary="The files name another version, TLS policy, idle timeout and host than those that answer.",
    faults=(
        Declares(FILES.format(tag="v2.9.0", idle=60, tls=3, host="api.other.example")),
        Balancer(front_idle=2.0),
        Backend(origins=(ORIGIN,)),
    ),
    warns=(
        "keepalive.front-idle-timeout-suffices",
        "config.image-is-rolled-out",
        "config.tls-minimum-is-effective",
        "config.idle-timeout-is-effective",
        "config.host-is-declared",
    ),
    skips=NO_LIMITS,
    options=OPTIONS,
)
ORIGIN_REFUSED = Scenario(
    name="config-origin-refused",
    summary="The files allow an origin that the API does not know.",
    faults=(
        Declares(FILES.format(tag="v1.1.32", idle=2, tls=2, host="api.lab.example")),
        Balancer(front_idle=2.0),
    ),
    warns=("keepalive.front-idle-timeout-suffices",),
    fails=("config.origins-are-allowed",),
    skips=NO_LIMITS,
    options=OPTIONS,
)
LIMITS = """kind: Ingress
metadata:
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: {body}
    nginx.ingress.kubernetes.io/proxy-read-timeout: "{read}"
spec:
  rules:
    - host: api.lab.example
      http:
        paths:
          - backend:
              service:
                name: braintrust-api
"""
_STRICT = (LimitsSizes(body=1024 * 1024), Balancer(silence_timeout=1.0))
_STRICT_FAILS = ("gateway.accepts-product-requests", "gateway.silent-answers-are-awaited")

LIMITS_IN_EFFECT = Scenario(
    name="config-limits-in-effect",
    summary="The gateway's limits are too low, and as its files declare.",
    faults=(Declares(LIMITS.format(body="1m", read=1)), *_STRICT),
    fails=_STRICT_FAILS,
    skips=LIMITS_ALONE,
)
LIMITS_NOT_ROLLED_OUT = Scenario(
    name="config-limits-not-rolled-out",
    summary="The files allow bodies of 8 MiB and wait 900 s for an answer; the gateway takes 1 MiB and waits a second.",
    faults=(Declares(LIMITS.format(body="8m", read=900)), *_STRICT),
    fails=_STRICT_FAILS,
    skips=LIMITS_ALONE,
    warns=("config.body-limit-is-effective", "config.read-timeout-is-effective"),
)

PODS = """api:
  replicas: {replicas}
  customCA:
    enabled: true
    secretName: globex-ca
---
kind: Secret
metadata:
  name: globex-ca
data:
  ca-bundle.pem: {ca}
"""
_APART_ALONE = (*OTHERS, *NO_LIMITS[:2], "config.host-is-declared")

PODS_IN_EFFECT = Scenario(
    name="config-pods-in-effect",
    summary="Three replicas answer, and the load balancer shows a certificate of the CA that pods trust, as declared.",
    faults=(
        Declares(PODS.format(replicas=3, ca="@LAB-CA@")),
        NamesReplicas(names=("braintrust-api-0", "braintrust-api-1", "braintrust-api-2")),
    ),
    skips=_APART_ALONE,
)
PODS_NOT_ROLLED_OUT = Scenario(
    name="config-pods-not-rolled-out",
    summary="Two of five declared replicas answer, and pods trust another CA than the one of the certificate.",
    faults=(
        Declares(PODS.format(replicas=5, ca="@OTHER-CA@")),
        NamesReplicas(names=("braintrust-api-0", "braintrust-api-1")),
    ),
    skips=_APART_ALONE,
    warns=("config.declared-ca-is-presented", "config.declared-replicas-answer"),
)
