"""What to do about Local Network Access: what users click, what the organisation sets, policies for each system.

Sources: https://chromeenterprise.google/policies/#LocalNetworkAccessAllowedForUrls and its successors; observed with
Chromium 156: which URL patterns fit, which policy wins.
"""

from __future__ import annotations

import json

from btdiag.core import evidence
from btdiag.core.finding import Evidence, Remedy, Snippet

SOURCES = (
    "https://wicg.github.io/local-network-access/",
    "https://developer.chrome.com/blog/local-network-access",
)
POLICY_SOURCE = "https://chromeenterprise.google/policies/#LocalNetworkAccessAllowedForUrls"
BUBBLES = {
    "local": "Access other devices on your local network",
    "loopback": "Access other apps and services on this device",
}
_OLD_POLICY = "LocalNetworkAccessAllowedForUrls"  # Chrome 139, Edge 140
_NEW_POLICIES = {"local": "LocalNetworkAllowedForUrls", "loopback": "LoopbackNetworkAllowedForUrls"}  # Chrome, Edge 146
_VERSIONS = (
    ("Chrome, Edge up to 141", "nobody is asked; from 138 on only with chrome://flags/#local-network-access-check"),
    ("Chrome, Edge 142 to 144", "asked once for each web app: one permission for local networks and this device"),
    ("Chrome, Edge from 145", "asked for local networks and for this device apart"),
    ("Chrome, Edge from 147", "WebSocket connections need the permission too"),
    ("Firefox", "is introducing a permission of its own; policy LocalNetworkAccess from 151"),
    ("Safari", "no such permission of its own known; macOS asks for each app, and a refusal looks like a dead network"),
)


def behaviour_of_versions() -> Evidence:
    """What users of each browser see."""
    return evidence.table("What users of each version see", ("browser", "behaviour"), _VERSIONS)


def bubble(space: str) -> str:
    """The words of Chrome's question."""
    return BUBBLES.get(space, BUBBLES["local"])


def spare_users(origin: str, host: str, space: str) -> Remedy:
    """Allow once by hand, or beforehand by policy."""
    return Remedy(
        text=f'Tell users: when the browser says that {_site(origin)} wants to "{bubble(space)}", click Allow, then '
        "reload the page. Turn on 'Data plane is on a private network' in the Braintrust organization's settings. To "
        "spare managed browsers the question, set the enterprise policies below; a public address spares everybody. "
        f"If the load balancer closes the connection to {host} while the question waits, the first request fails in "
        "spite of Allow: reload.",
        snippets=policies(origin, space),
    )


def policies(origin: str, space: str) -> tuple[Snippet, ...]:
    """The policies that allow the origin, old and new name, for each system; Edge takes the same under its own keys."""
    names = (_OLD_POLICY, _NEW_POLICIES.get(space, _NEW_POLICIES["local"]))
    return (
        Snippet(product="Linux: /etc/opt/chrome/policies/managed/braintrust.json", code=_linux(names, origin)),
        Snippet(product="Windows registry", code=_windows(names, origin)),
        Snippet(product="macOS: com.google.Chrome (Edge: com.microsoft.Edge)", code=_mac(names, origin)),
    )


def _linux(names: tuple[str, ...], origin: str) -> str:
    return json.dumps({name: [origin] for name in names}, indent=2)


def _windows(names: tuple[str, ...], origin: str) -> str:
    vendors = ("Google\\Chrome", "Microsoft\\Edge")
    keys = [
        f'[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\{vendor}\\{name}]\n"1"="{origin}"\n'
        for vendor in vendors
        for name in names
    ]
    return "\n".join(("Windows Registry Editor Version 5.00\n", *keys)).rstrip()


def _mac(names: tuple[str, ...], origin: str) -> str:
    return "\n".join(f"<key>{name}</key>\n<array>\n  <string>{origin}</string>\n</array>" for name in names)


def lift_policy(origin: str) -> Remedy:
    """An enterprise policy blocks it."""
    return Remedy(
        text=f"Let the administrator of the browser policies take {origin} (and patterns that cover it) out of "
        "LocalNetworkAccessBlockedForUrls, LocalNetworkBlockedForUrls and LoopbackNetworkBlockedForUrls: they win over "
        "the Allowed lists, and users cannot overrule them. chrome://policy on this machine shows which one is set.",
    )


def undo_block(origin: str, folder: str) -> Remedy:
    """A person once clicked Block."""
    return Remedy(
        text=f"In the browser with the profile {folder}, open chrome://settings/content/siteDetails?site={origin}, set "
        "the local network permission to Allow (or Ask), and reload the web app: after Block it never asks again.",
    )


def embed(origin: str, space: str) -> Remedy:
    """The page is in a frame, or has a header, that shuts it out."""
    name = "loopback-network" if space == "loopback" else "local-network"
    return Remedy(
        text=f"Open {origin} in a tab of its own, or let the page that embeds it delegate the permission, and take "
        f"{name} out of every Permissions-Policy header above it.",
        snippets=(
            Snippet(product="HTML", code=f'<iframe src="{origin}" allow="local-network-access; {name}"></iframe>'),
            Snippet(product="HTTP header of the embedding page", code=f'Permissions-Policy: {name}=(self "{origin}")'),
        ),
    )


def secure(origin: str) -> Remedy:
    """A page without https can never be given the permission."""
    https = origin.replace("http://", "https://", 1)
    return Remedy(
        text=f"Serve the web app over https ({https}) and call it there only: a page without https cannot be granted "
        "access to local networks, by users or by policy.",
    )


def _site(origin: str) -> str:
    return origin.partition("://")[2]


def one_space(host: str) -> Remedy:
    """A name with addresses of several kinds."""
    return Remedy(
        text=f"Publish one kind of address for {host}: public ones for everybody, or private ones only, in a zone that "
        "just the private network sees (split horizon). Until then, set the policy LocalNetworkAccessAllowedForUrls on "
        "all managed browsers, so that the permission is there whichever address is used.",
    )


def same_overrides() -> Remedy:
    """This machine's browser has another table of address spaces."""
    return Remedy(
        text="Look at chrome://policy for LocalNetworkAccessIpAddressSpaceOverrides and give all managed browsers the "
        "same value; browsers without it ask their users.",
    )
