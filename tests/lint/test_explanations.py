"""`btdiag explain` says where the guide, or the vendor's own files, say something else than is true."""

from __future__ import annotations

import pytest

from btdiag.lint.catalogue import explain_rule


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("brainstore.limits-are-meant", "The guide says to leave limits out"),
        ("brainstore.requests-fit-limits", "README has"),
        ("brainstore.probes-are-read", "which no chart ever read"),
        ("brainstore.cache-fits-volume", "The guide's Azure example"),
        ("brainstore.fast-reader-mirrors-reader", "The vendor's own example"),
        ("brainstore.addresses-are-derived", "AWS module has derived them since v4.4.0"),
        ("brainstore.capacity-is-there", "starts two since v5.5.0"),
        ("config.keys-are-read", "apiHandler"),
        ("config.ports-match", "The guide says that probes stay behind"),
        ("config.gateway-is-enabled", "does not hold to it"),
        ("config.images-fit-settings", "README still calls them disabled"),
        ("cors.origins-are-bare", "The guide has Terraform handle CORS"),
        ("ratelimit.values-are-valid", "AWS module sets 0"),
        ("keepalive.outlives-the-load-balancer", "own waits 900 s"),
        ("telemetry.types-are-known", "prints capitals"),
        ("telemetry.gateway-follows", "does not read monitoring_telemetry"),
        ("retention.secrets-are-listed", "never sets SERVICE_TOKEN_SECRET_KEY"),
        ("retention.buckets-keep-live-data", "delete data independently"),
        ("terraform.types-fit", "must name every service"),
    ],
)
def test_explanations_say_where_the_guide_and_the_vendor_contradict(rule: str, said: str) -> None:
    assert said in " ".join((explain_rule(rule) or "").split())
