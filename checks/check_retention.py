"""Data retention and service tokens: do their routes reach the API? Nothing is written, and no token is asked for."""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.families.retention import judge
from btdiag.families.retention.facts import RetentionRoutes


def check_routes_reach_a_backend(retention_routes: RetentionRoutes) -> Finding:
    """The routes of data retention and service tokens reach the API.

    They are paths of their own, which API Gateway lists one by one, and which came with later versions of the module.
    Where they are missing, rules for retention and tokens for services can neither be made nor looked at.

    Measured: without a key, GET of a service token that does not exist, and the preflight of the route that sets
    retention. Where the one is answered by a gateway, GET of a path that does not exist is the contrast; where the
    other is not answered well, the preflight of /version. An answer of the API passes, whatever its status; a gateway's
    own, where it treats other paths otherwise, warns.

    Remedy: upgrade the Terraform module, or route all paths of the host to the API server.

    Sources: https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (routes of the API Gateway)
    """
    return conclude(judge.routes_reach_a_backend(retention_routes))
