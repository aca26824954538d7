"""What to change when the order of idle timeouts is wrong: both numbers, for the API server and for each product."""

from __future__ import annotations

from math import ceil, floor

from btdiag.core.finding import Remedy, Snippet
from btdiag.core.idle_settings import GOOGLE_S, SETTING, balancer_snippets
from btdiag.families.keepalive.facts import Stop
from btdiag.families.keepalive.order import ADVISED_MARGIN_S, Order

SOURCES = (
    "RFC 9112 section 9.5 (either side may close an idle connection at any time)",
    "RFC 9110 section 9.2.2 (a request that is not idempotent must not be retried by itself)",
    "https://www.braintrust.dev/docs/guides/self-hosting/advanced (TS_API_KEEP_ALIVE_TIMEOUT_SECONDS)",
)


def order_remedy(order: Order) -> Remedy:
    """Raise the backend's timeout above the load balancer's by five seconds, or lower the load balancer's below it,
    where there is a whole second for it."""
    upwards, downwards = raised(order), lowered(order)
    instead = "" if downwards is None else f", or lower the load balancer's idle timeout to {downwards} s or less"
    if order.balancer is None:
        text = (
            f"Look up the load balancer's idle timeout towards the API server and set {SETTING} at least "
            f"{ADVISED_MARGIN_S:g} s above it{instead}."
        )
    else:
        below = f", below the {order.backend.closes_after_s:.4g} s after which the backend closes" if instead else ""
        text = (
            f"Set {SETTING} to {upwards} or more, {ADVISED_MARGIN_S:g} s above the load balancer's "
            f"{order.balancer.closes_after_s:g} s{instead}{below}."
        )
    lower = () if downwards is None else balancer_snippets(downwards, _product(order))
    return Remedy(
        text=text, action=f"Set {SETTING} to {upwards} or more{instead}", snippets=(*_backend_snippets(upwards), *lower)
    )


def again_remedy(stop: Stop) -> Remedy:
    """How to come to volleys that can be used, where these told nothing of a timeout."""
    if stop is Stop.THROTTLED:
        return Remedy(text="Run again with fewer requests at once (--connections 50), or from where no limit applies.")
    if stop is Stop.NO_CONNECTIONS:
        return Remedy(text="Run again where more connections can be opened (ulimit -n), or with --connections 50.")
    return Remedy(text="Run again when the target answers every request of a volley, or with --connections 50.")


def ineffective_remedy(declared_s: float, order: Order) -> Remedy:
    """Why the declared value is not what the API server does: where it was lost, not another value."""
    return Remedy(
        text=f"Find out why {declared_s:g} s is not in effect: the variable {SETTING} must stand on the API's own "
        "container, spelt like that, and the container must have been started after it was set. If another server "
        f"answers at --backend, or one that closes by itself, {order.backend.closes_after_s:.4g} s is that server's.",
        action=f"Find out why {SETTING} is not in effect: look at it in the API's running container",
        snippets=(
            Snippet(product="Kubernetes", code=f"kubectl exec deploy/braintrust-api -- printenv {SETTING}"),
            Snippet(
                product="ECS",
                code="aws ecs describe-task-definition --task-definition NAME \\\n"
                f"  --query \"taskDefinition.containerDefinitions[].environment[?name=='{SETTING}']\"",
            ),
        ),
    )


def _product(order: Order) -> str:
    """The load balancer's product, where it was recognised."""
    return order.balancer.where if order.balancer is not None and order.by_default else ""


def raised(order: Order) -> int:
    """The backend's setting that goes with the load balancer's timeout; with Google's 600 s where that is unknown."""
    balancer_s = GOOGLE_S if order.balancer is None else order.balancer.closes_after_s
    return ceil(balancer_s + ADVISED_MARGIN_S)


def lowered(order: Order) -> int | None:
    """The load balancer's timeout that goes with the backend's, at least one second; None where the backend closes
    within that second itself."""
    closes_s = order.backend.closes_after_s
    return max(1, floor(closes_s - ADVISED_MARGIN_S)) if closes_s > 1 else None


def _backend_snippets(seconds: int) -> tuple[Snippet, ...]:
    helm = f'api:\n  extraEnvVars:\n    - name: {SETTING}\n      value: "{seconds}"'
    return (
        Snippet(product="Helm (values.yaml)", code=helm),
        Snippet(
            product="Terraform (ECS API)", code=f'braintrust_api_extra_env_vars = {{\n  {SETTING} = "{seconds}"\n}}'
        ),
        Snippet(product="Node.js", code=f"server.keepAliveTimeout = {seconds * 1000}; // ms; closes a second later"),
    )


CONTAINMENT = Remedy(
    text="Remove the race itself (keepalive.backend-outlives-load-balancer). Until then keep the load balancer from "
    "taking a server out for a single lost connection: max_fails=0 on each server of an nginx upstream, a higher "
    "consecutive5xxErrors in the outlier detection of Envoy and Istio.",
    action="Remove the race, and keep the load balancer from taking a server out for one lost connection",
    snippets=(
        Snippet(
            product="nginx",
            code="upstream api {\n  server api-1:8000 max_fails=0;\n  server api-2:8000 max_fails=0;\n}",
        ),
        Snippet(
            product="Istio (DestinationRule)", code="trafficPolicy:\n  outlierDetection:\n    consecutive5xxErrors: 50"
        ),
    ),
)
