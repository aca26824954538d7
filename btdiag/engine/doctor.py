"""`btdiag doctor`: what this machine lacks for a full run, how to get it, and what this platform cannot see."""

from __future__ import annotations

import importlib.util
import os
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from tabulate import tabulate

from btdiag.families.lna.probe.find import HOW_TO_GET_ONE, find_browser, product_of
from btdiag.families.lna.probe.managed import managed_settings
from btdiag.report.escape import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One thing a full run needs. `state` is "ok", "missing" or "note"; `advice` says how to get it."""

    name: str
    state: str
    detail: str
    advice: str = ""


def examine(environment: Mapping[str, str] = os.environ) -> list[Condition]:
    """Look at this machine; sends nothing."""
    return [
        _python(),
        _browser(environment),
        _policies(environment),
        _resolver(),
        _ipv6(),
        _ca(environment),
        _proxy(environment),
        _files(),
        _loopback(),
    ]


def render(conditions: list[Condition]) -> str:
    """The conditions as a table, what is missing first said in one line."""
    missing = [condition for condition in conditions if condition.state == "missing"]
    first = (
        f"{len(missing)} of {len(conditions)} things are missing for a full run"
        if missing
        else "This machine has everything for a full run"
    )
    rows = [(c.state.upper(), c.name, plain(c.detail), plain(c.advice) or "-") for c in conditions]
    table = tabulate(rows, headers=("", "what", "found", "what to do"), maxcolwidths=[None, None, 44, 50])
    return f"{first}.\n\n{table}"


def _python() -> Condition:
    version = ".".join(map(str, sys.version_info[:3]))
    return Condition(name="Python", state="ok", detail=f"{version}, {ssl.OPENSSL_VERSION}")


def _browser(environment: Mapping[str, str]) -> Condition:
    if importlib.util.find_spec("playwright") is None:
        return Condition(name="browser", state="missing", detail="no playwright", advice="pip install playwright")
    found = find_browser("auto", environment)
    if found is None:
        return Condition(name="browser", state="missing", detail="no Chrome, Edge or Chromium", advice=HOW_TO_GET_ONE)
    return Condition(name="browser", state="ok", detail=str(found))


def _policies(environment: Mapping[str, str]) -> Condition:
    found = find_browser("auto", environment)
    product = product_of(str(found)) if found else "Chromium"
    given = managed_settings(product)
    if not given.known:
        return Condition(
            name="browser policies",
            state="note",
            detail=f"where {sys.platform} keeps them is not known",
            advice="chrome://policy shows them",
        )
    if named := [f"{one.policy} ({one.where})" for one in given.decisive]:
        advice = "they decide what the web app's page may call here; users without them may fare otherwise"
        return Condition(name="browser policies", state="note", detail=", ".join(named), advice=advice)
    beyond = "" if given.complete else "; what a cloud manages is not seen (chrome://policy)"
    return Condition(
        name="browser policies", state="ok", detail=f"none of {product} on proxies or local networks{beyond}"
    )


def _resolver() -> Condition:
    try:
        import dns.resolver

        servers = ", ".join(str(server) for server in dns.resolver.Resolver().nameservers)
    except Exception as error:  # dnspython raises its own types for an unreadable or empty configuration
        advice = "name one with --nameserver; the system's own resolution works without"
        return Condition(name="name servers", state="missing", detail=f"none found: {error}", advice=advice)
    return Condition(name="name servers", state="ok", detail=servers)


def _ipv6() -> Condition:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.connect(("2001:db8::1", 53))  # sends nothing: a UDP connect only asks the routing table
    except OSError as error:
        detail = f"no route ({error.strerror})"
        return Condition(name="IPv6", state="note", detail=detail, advice="IPv6 addresses cannot be judged from here")
    return Condition(name="IPv6", state="ok", detail="there is a route")


def _ca(environment: Mapping[str, str]) -> Condition:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        path = environment.get(name)
        if path and not (os.path.isfile(path) and os.access(path, os.R_OK)):  # OpenSSL would wait for a FIFO's writer
            advice = f"correct {name}, or unset it"
            return Condition(name="CA certificates", state="missing", detail=f"{name}={path} unreadable", advice=advice)
    number = len(ssl.create_default_context().get_ca_certs())
    own = environment.get("SSL_CERT_FILE")
    if number == 0 and not own and not any(ssl.get_default_verify_paths()[:2]):
        advice = "install ca-certificates, or give --ca"
        return Condition(name="CA certificates", state="missing", detail="the system trusts none", advice=advice)
    return Condition(
        name="CA certificates", state="ok", detail=own or str(ssl.get_default_verify_paths().openssl_cafile)
    )


def _proxy(environment: Mapping[str, str]) -> Condition:
    names = [name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if environment.get(name)]
    if not names:
        return Condition(name="proxy", state="ok", detail="no proxy variable is set")
    advice = "targets go through it; --no-proxy goes past it, to compare"
    return Condition(name="proxy", state="note", detail=f"{names[0]} is set", advice=advice)


def _files() -> Condition:
    try:
        import resource
    except ImportError:
        detail = "no limit to be read on this platform"
        return Condition(name="open files", state="note", detail=detail, advice="lower --connections if it fails")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 512:
        return Condition(name="open files", state="missing", detail=f"at most {soft}", advice="ulimit -n 1024")
    return Condition(name="open files", state="ok", detail=f"at most {soft}")


def _loopback() -> Condition:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", 0))
    except OSError:
        advice = "for the lab: sudo ifconfig lo0 alias 127.0.0.2 (and .3, .4)"
        return Condition(name="lab addresses", state="missing", detail="127.0.0.2 cannot be bound", advice=advice)
    return Condition(name="lab addresses", state="ok", detail="127.0.0.2 and its siblings")
