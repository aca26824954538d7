"""What to open, or to switch off, where telemetry does not get out."""

from __future__ import annotations

from btdiag.core.finding import Remedy, Snippet

GUIDE = "https://www.braintrust.dev/docs/admin/self-hosting/configure/telemetry"
SOURCES = (
    "https://github.com/braintrustdata/helm (controlPlaneTelemetry in values.yaml)",
    "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (monitoring_telemetry in variables.tf)",
)


def open_path(url: str) -> Remedy:
    """The host is reached and the path is not."""
    return Remedy(
        text=f"Allow {url} and what is below it, POST included, at the filter that answers in its place. Where your "
        "rules forbid telemetry, say so in the configuration instead, so that the data plane does not try: Braintrust "
        "support then cannot see its state.",
        action=f"Allow {url} at the filter, or switch telemetry off in the configuration",
        snippets=(
            Snippet(product="Helm", code='global:\n  controlPlaneTelemetry: ""'),
            Snippet(product="Terraform (AWS)", code='monitoring_telemetry = ""'),
        ),
    )


def switch_off() -> Remedy:
    """An endpoint answers that the files switch off."""
    return Remedy(
        text='Look for DISABLE_SYSADMIN_TELEMETRY in the running API container: "true" is what counts, and '
        "it counts after a restart. Where it is there, ask Braintrust support which endpoints it switches off.",
        action="Look for DISABLE_SYSADMIN_TELEMETRY in the API's running container, and restart it with true",
        snippets=(
            Snippet(
                product="Kubernetes", code="kubectl exec deploy/braintrust-api -- printenv DISABLE_SYSADMIN_TELEMETRY"
            ),
        ),
    )
