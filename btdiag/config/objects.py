"""What Kubernetes objects state that one scalar alone does not tell: the CA in a Secret, the replicas of a Deployment.

Pure. A custom CA is read where files say what it is for: the Secret (or ConfigMap) that api.customCA of the chart
names, and that of an Ingress's TLS. Of it only certificates are kept, never a key.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Sequence

from btdiag.config.files import Leaf

CHART_SECRET, CHART_KEY = "braintrust-runtime-ca", "ca-bundle.pem"
MOST_PEM = 512 * 1024  # characters: a bundle with all public roots has some 220,000
_DATA = {"data", "stringData", "binaryData"}
_CA_KEYS = {"ca.crt", "ca.pem", "ca-bundle.crt", CHART_KEY}
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]{1,20000}-----END CERTIFICATE-----")


def custom_authorities(leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, str]]:
    """(where it stands, certificates in PEM) of each CA that files say is this data plane's."""
    names, keys = _named(leaves)
    for whole in _objects(leaves):
        if _text(whole, "kind") not in ("Secret", "ConfigMap") or _text(whole, "metadata", "name") not in names:
            continue
        for leaf in whole:
            if leaf.path[-2:-1] and leaf.path[-2] in _DATA and leaf.path[-1] in keys and (pem := _pem(leaf.value)):
                yield leaf, pem


def declared_replicas(leaves: Sequence[Leaf]) -> Iterator[tuple[Leaf, str]]:
    """(where it stands, how many) of each number of API replicas; none where an autoscaler chooses it."""
    objects = list(_objects(leaves))
    if any(_text(one, "kind") == "HorizontalPodAutoscaler" for one in objects):
        return
    for whole in objects:
        deployed = _text(whole, "kind") == "Deployment" and _text(whole, "metadata", "name") == "braintrust-api"
        for leaf in whole:
            if leaf.path[-2:] == ("api", "replicas") or (deployed and leaf.path[-2:] == ("spec", "replicas")):
                yield leaf, leaf.value


def _named(leaves: Sequence[Leaf]) -> tuple[Collection[str], Collection[str]]:
    """The names of Secrets that hold this data plane's CA, and the keys under which it stands there."""
    names, keys = {CHART_SECRET}, set(_CA_KEYS)
    for whole in _objects(leaves):
        ingress = _text(whole, "kind") == "Ingress" and any("braintrust" in leaf.value.lower() for leaf in whole)
        for leaf in whole:
            if leaf.path[-3:] == ("api", "customCA", "secretName"):
                names.add(leaf.value)
            elif leaf.path[-3:] == ("api", "customCA", "secretKey"):
                keys.add(leaf.value)
            elif ingress and leaf.path[-1] == "secretName" and "tls" in leaf.path:
                names.add(leaf.value)
    return names, keys


def _objects(leaves: Sequence[Leaf]) -> Iterator[Sequence[Leaf]]:
    """The leaves object by object: documents of one file follow each other, and a list (kubectl) holds several."""
    current: list[Leaf] = []
    seen: set[str] = set()
    last = place = None
    for leaf in leaves:
        depth = 2 if leaf.path[0] == "items" and len(leaf.path) > 2 else 0
        here, key = (leaf.file, leaf.path[:depth]), leaf.path[depth]
        if current and (here != place or (key != last and key in seen)):
            yield current
            current, seen = [], set()
        current.append(leaf)
        seen.add(key)
        place, last = here, key
    if current:
        yield current


def _text(whole: Sequence[Leaf], *path: str) -> str:
    return next((leaf.value for leaf in whole if leaf.path[-len(path) :] == path and _is_top(leaf, path)), "")


def _is_top(leaf: Leaf, path: tuple[str, ...]) -> bool:
    return len(leaf.path) == len(path) or (leaf.path[0] == "items" and len(leaf.path) == len(path) + 2)


def _pem(text: str) -> str:
    """The certificates of a value, which is PEM or PEM in base64; "" for none."""
    if "-----BEGIN" not in text:
        try:
            text = base64.b64decode(text[: MOST_PEM * 2], validate=False).decode("ascii", "replace")
        except (ValueError, binascii.Error):
            return ""
    return "\n".join(match[0] for match in _CERTIFICATE.finditer(text[:MOST_PEM]))
