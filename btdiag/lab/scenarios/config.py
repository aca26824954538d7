"""Configuration files beside a data plane that does as they say, or not."""

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

IN_EFFECT = Scenario(
    name="config-in-effect",
    summary="All that the configuration files declare is in effect.",
    faults=(
        Declares(FILES.format(tag="v1.1.32", idle=2, tls=2, host="api.lab.example")),
        Balancer(front_idle=2.0),
        Backend(origins=(ORIGIN,)),
    ),
    warns=("keepalive.front-idle-timeout-suffices",),
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
    options=OPTIONS,
)
