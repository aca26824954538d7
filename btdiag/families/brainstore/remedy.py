"""What to do about a role that is missing, another version, a latched /status."""

from __future__ import annotations

from btdiag.core.finding import Remedy, Snippet

HELM = "https://github.com/braintrustdata/helm (values and README of the chart)"

_DOES = {
    "reader": "queries are answered by it",
    "fast-reader": "the API sends queries of some sources there, and the chart has no switch that turns that off",
    "writer": "what SDKs log is stored by it",
}


def start_role(role: str) -> Remedy:
    """A role does not answer while another one does."""
    return Remedy(
        text=f"Start the {role}, and look at its pods and its log: {_DOES.get(role, 'it has a share of the work')}. "
        "Port 4000 must be open from the API server and from here; its readiness probe must be GET /.",
        action=f"Start Brainstore's {role}, and see that it runs at least one replica",
        snippets=(
            Snippet(product="Kubernetes", code="kubectl get pods,endpoints | grep brainstore"),
            Snippet(product="Helm", code=f"brainstore:\n  {role.replace('-', '')}:\n    replicas: 2"),
        ),
    )


def one_version() -> Remedy:
    """Roles run different versions."""
    return Remedy(
        text="Finish the roll-out: all roles must run the image that the chart or module pins (brainstore.image in "
        "Helm, brainstore_version_override in Terraform). A role that stays behind cannot read what newer ones write.",
        action="Roll all of Brainstore's roles out with one image",
        snippets=(Snippet(product="Kubernetes", code="kubectl get pods -o wide | grep brainstore"),),
    )


def probe_root() -> Remedy:
    """/status failed once, and stays so."""
    return Remedy(
        text="Let readiness probes ask GET / on port 4000: charts 3.0.3 to 4.1.0 ask /status unless told otherwise, "
        "5.0.0 and later ask /. Restarting the pod clears the latch until the next failure.",
        action="Let Brainstore's readiness probe ask GET / (chart 5.0.0 and later), and restart the pod",
        snippets=(Snippet(product="Helm", code="brainstore:\n  readinessProbe:\n    httpGet: {path: /, port: 4000}"),),
    )
