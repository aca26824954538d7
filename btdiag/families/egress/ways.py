"""Which way each host is tried, and which one is not chosen: through a proxy (given, or from variables) or not."""

from __future__ import annotations

import os

from btdiag.config.proxies import environment_proxy
from btdiag.core.target import Proxy, Target


def proxy_for(url: str, target: Target) -> tuple[Proxy | None, str]:
    """The proxy for one URL: what was given for the run, else what the environment says for this very host."""
    given = target.proxy is not None and target.proxy.source in {"--proxy", "the lab"}
    if given or target.lab_scenario is not None or target.proxy_note == "--no-proxy":
        return target.proxy, target.proxy_note
    return environment_proxy(os.environ, url)


def exempted_from(url: str, target: Target) -> Proxy | None:
    """The proxy that the environment names and NO_PROXY takes this host out of."""
    if target.lab_scenario is not None or target.proxy_note == "--no-proxy":
        return None
    without = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    return environment_proxy(without, url)[0]
