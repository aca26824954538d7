"""What to change where retention's routes do not reach the API."""

from __future__ import annotations

from btdiag.core.finding import Remedy

SOURCES = (
    "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (routes of the API Gateway)",
    "https://www.braintrust.dev/docs/admin/self-hosting",
)


def upgrade_module() -> Remedy:
    """API Gateway answers by itself what is not in its list of routes."""
    return Remedy(
        text="Upgrade the Terraform module: its API Gateway lists each route, and those of service tokens came with "
        "v2.2.0. Until then retention and service tokens cannot be managed through this data plane.",
        action="Upgrade the Terraform module to v2.2.0 or later: its API Gateway lists the routes",
    )


def route_all(paths: str) -> Remedy:
    """Another gateway stops the routes."""
    return Remedy(
        text=f"Route {paths} to the API server, as all other paths of the host, and let a firewall in front pass them.",
        action="Route all paths of the host to the API server, those of retention among them",
    )
