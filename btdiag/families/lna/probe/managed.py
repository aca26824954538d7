"""Reads which enterprise policies of this machine decide on what the web app's page may call: they win over every
switch that a browser is started with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from btdiag.families.lna.facts import BrowserPolicies
from btdiag.families.lna.judge.policies import network_policies, proxies_in
from btdiag.net.policies import browser_policies


def managed_settings(
    product: str, system: str = sys.platform, root: Path = Path("/"), registry: Any = None
) -> BrowserPolicies:
    """What the policies of this browser ("Chrome", "Edge", "Chromium") say of proxies and of local networks."""
    given = browser_policies(product, system, root, registry)
    return BrowserPolicies(
        proxies=tuple(one for each in given or () for one in proxies_in(each.values, each.where)),
        networks=tuple(one for each in given or () for one in network_policies(each.values, each.where)),
        known=given is not None,
        complete=system == "linux",
    )
