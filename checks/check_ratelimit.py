"""Rate limits that a client meets: at a gateway or firewall, at the API, and on the way to the control plane."""

from __future__ import annotations

from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.families.gateway.facts.requests import ProductRequests
from btdiag.families.gateway.facts.routes import RouteAnswers
from btdiag.families.ratelimit import judge
from btdiag.families.ratelimit.facts import OutboundLimit
from btdiag.families.sdk.facts import ControlPlane


def check_not_throttled(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    ping: PerAddress[Exchange] | NotMeasured,
    status: PerAddress[Exchange] | NotMeasured,
    product_requests: ProductRequests | NotMeasured,
    route_answers: RouteAnswers | NotMeasured,
    control_plane: ControlPlane | NotMeasured,
    outbound_limit: OutboundLimit,
) -> Finding:
    """No request of the run is answered 429.

    JavaScript SDKs fail at the first 429 of a login and Python SDKs report it as "Invalid API key"; a 429 met by a
    diagnosis also makes every check that it touches undecided.

    Measured: all answers of the run, none sent for this check. A 429 to everything fails, one that only bursts meet
    warns. On the control-plane calls it comes from the API server's outbound limiter (100 a minute and key by default)
    or the control plane; a run sends seven of those, and a few more where some fail. Where btdiag runs in the API
    server's own container, or --config names its files, the limiter's settings are held against what they may be.

    Remedy: raise the limit at the hop that is named, count by key instead of by address; for the outbound limiter
    OUTBOUND_RATE_LIMIT_MAX_REQUESTS (0 turns it off) and OUTBOUND_RATE_LIMIT_WINDOW_MINUTES.

    Sources: RFC 6585 section 4; RFC 9110 section 10.2.3; https://www.braintrust.dev/docs/admin/self-hosting
    """
    answers = judge.gathered(roots, (version, ping, status), product_requests, route_answers, control_plane)
    return conclude(judge.not_throttled(answers, roots, version, outbound_limit))
