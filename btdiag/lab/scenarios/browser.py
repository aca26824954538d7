"""Hosts that programs reach and browsers refuse by rule."""

from btdiag.lab.faults.names import Tells
from btdiag.lab.plan import HOST
from btdiag.lab.scenario import Scenario

PLAIN_GATEWAY = Scenario(
    name="browser-mixed-content",
    summary="The AI gateway's URL is http://: an https page may not call it.",
    faults=(Tells("gateway", "http://gateway.lab.example"),),
    fails=("browser.scheme-is-secure",),
)

LOOPBACK_GATEWAY = Scenario(
    name="browser-loopback-plain",
    summary="The AI gateway's URL is http:// on this machine itself, which browsers trust.",
    faults=(Tells("gateway", "http://gateway.localhost:8080"),),
)

BAD_PORT = Scenario(
    name="browser-bad-port",
    summary="The AI gateway is at port 10080, which browsers never connect to.",
    faults=(Tells("gateway", f"https://{HOST}:10080"),),
    fails=("browser.port-is-allowed",),
)
