"""What configuration files state that a run can see for itself: images, TLS, origins, timeouts, sizes, hosts, a CA.

Pure. Unlike the settings of declared.py, a file may state several of each, for several deployments: nothing here is
an error.
Sources: the Helm chart's values, AWS Load Balancer Controller and ELB security policies, ingress-nginx, Istio Gateway.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from itertools import islice

from btdiag.config.declared import ALB_ATTRIBUTES, NOT_THE_API, SHOWN, Others, evaluated
from btdiag.config.files import Leaf
from btdiag.config.objects import custom_authorities, declared_replicas
from btdiag.core.target import DeclaredSetting

IMAGE = "the API's image"
TLS_MINIMUM = "the oldest TLS version"
ORIGIN = "an allowed origin"
FRONT_IDLE = "the idle timeout towards clients"
HOST = "the public host name"
BODY_LIMIT = "the largest body"
READ_TIMEOUT = "the timeout for answers"
SYSADMIN = "the sysadmin endpoints, switched off"
FAST_READERS = "fast readers, of which the API is told"
CUSTOM_CA = "the custom CA"
REPLICAS = "the API's replicas"

MOST = 50  # of each kind; more is no configuration of one data plane
_BRAINTRUST = re.compile("braintrust", re.IGNORECASE)
_IMAGE = re.compile(r"(?:^|/)standalone-api:(v?\d[\w.-]{0,60})(?:@|$)")
_VERSION_KEYS = {"braintrust_api_version_override", "api_ecs_version_override"}
_FAST_READER = "BRAINSTORE_FAST_READER_URL"
_SYSADMIN = "DISABLE_SYSADMIN_TELEMETRY"
_ORIGINS = {"WHITELISTED_ORIGINS", "WHITELISTED_ORIGIN"}
_POLICY_KEYS = {"alb.ingress.kubernetes.io/ssl-policy", "ssl_policy"}
_NGINX_PREFIX = "nginx.ingress.kubernetes.io/"
_BODY_KEYS = {f"{_NGINX_PREFIX}proxy-body-size", "proxy-body-size"}
_READ_KEYS = {f"{_NGINX_PREFIX}proxy-read-timeout", "proxy-read-timeout", "cloudfront_origin_read_timeout"}
_ANYBODYS = {*_POLICY_KEYS, ALB_ATTRIBUTES, "minProtocolVersion", "ssl-protocols", *_BODY_KEYS, *_READ_KEYS}
_SIZE = re.compile(r"(\d{1,9})([kKmMgG]?)")  # nginx, "Configuration file measurement units"
_SECONDS = re.compile(r"(\d{1,6})s?")
_POLICY = re.compile(r"ELBSecurityPolicy-(?:TLS13|TLS|FS)-1-([0-3])(?:-|$)")
_OLD_POLICY = re.compile(r"ELBSecurityPolicy-(?:2015-05|2016-08|FS-2018-06)")
_CLOUDFRONT = re.compile(r"TLSv1(?:\.([0-3]))?_\d{4}")
_NGINX = re.compile(r"TLSv1(?:\.([0-3]))?(?![\w.])")
_ISTIO = re.compile(r"TLSV1_([0-3])")
_IDLE = re.compile(r"\bidle_timeout\.timeout_seconds=(\d{1,6})\b")
_BARE = re.compile(r"https?://[^/\s?#*,]{1,200}")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,10}", re.IGNORECASE)


def stated(leaves: Sequence[Leaf]) -> tuple[DeclaredSetting, ...]:
    """What one file or folder states, in its order, each once, at most MOST of a kind."""
    others, ours = Others(leaves), _ours(leaves)
    found: dict[tuple[str, str], DeclaredSetting] = {}
    counts: dict[str, int] = {}
    for leaf in leaves:
        for name, value in _of(leaf, others) if _is_ours(leaf, others, ours) else ():
            if value and (name, value) not in found and counts.get(name, 0) < MOST:
                counts[name] = counts.get(name, 0) + 1
                found[name, value] = DeclaredSetting(name=name, value=value[:SHOWN], where=leaf.where[:SHOWN])
    for name, several in ((CUSTOM_CA, custom_authorities(leaves)), (REPLICAS, declared_replicas(leaves))):
        for leaf, value in islice(several, MOST):
            text = value if name == CUSTOM_CA else _count(evaluated(value, others))
            if text and (name, text) not in found:
                found[name, text] = DeclaredSetting(name=name, value=text, where=leaf.where[:SHOWN])
    return tuple(found.values())


def _count(text: str) -> str:
    """A number of replicas; "" for none, and for what is no number."""
    return text if re.fullmatch(r"[1-9]\d{0,3}", text) else ""


def _ours(leaves: Sequence[Leaf]) -> set[tuple[str, tuple[str, ...]]]:
    """(file, ()) of each file that speaks of Braintrust, and (file, keys) of each Ingress rule that leads to it: what
    else lies in a folder belongs to somebody else's load balancer."""
    found: set[tuple[str, tuple[str, ...]]] = set()
    for leaf in leaves:
        if any(_BRAINTRUST.search(word) for word in (leaf.value, *leaf.path)):
            found.add((leaf.file, ()))
            if "rules" in leaf.path:
                found.add((leaf.file, leaf.path[: leaf.path.index("rules") + 2]))
    return found


def _is_ours(leaf: Leaf, others: Others, ours: Container[tuple[str, tuple[str, ...]]]) -> bool:
    key = leaf.path[-1]
    if key == "host":
        return (leaf.file, leaf.path[:-1]) in ours
    if key == "custom_domain":
        return _BRAINTRUST.search(others.beside(leaf, 1, "source") or "") is not None
    return key not in _ANYBODYS or (leaf.file, ()) in ours


def in_force(paths: Sequence[Sequence[DeclaredSetting]]) -> tuple[DeclaredSetting, ...]:
    """Of several paths, for each kind what the last one that speaks of it says, as with `helm -f`."""
    by_name: dict[str, list[DeclaredSetting]] = {}
    for settings in paths:
        said: dict[str, list[DeclaredSetting]] = {}
        for setting in settings:
            said.setdefault(setting.name, []).append(setting)
        by_name |= said
    return tuple(setting for settings in by_name.values() for setting in settings)


def _of(leaf: Leaf, others: Others) -> Iterator[tuple[str, str]]:
    if NOT_THE_API & set(leaf.path):
        return
    for name, value in _read(leaf, others):
        text = evaluated(value, others).strip()
        if "${" in text or "{{" in text:
            continue
        yield from ((name, one) for one in _values(name, text))


def _read(leaf: Leaf, others: Others) -> Iterator[tuple[str, str]]:
    key, value = leaf.path[-1], leaf.value
    if leaf.path[-3:] == ("api", "image", "tag") or key in _VERSION_KEYS:
        yield IMAGE, value
    elif key == "image" and (match := _IMAGE.search(value)):
        yield IMAGE, match[1]
    elif key in _POLICY_KEYS or key in ("ssl-protocols", "cloudfront_minimum_protocol_version", "minProtocolVersion"):
        yield TLS_MINIMUM, value
    elif key in _ORIGINS or (leaf.path[-2:-1] == ("whitelisted_origins",) and key.isdecimal()):
        yield ORIGIN, value
    elif key == "name" and value in _ORIGINS:
        yield ORIGIN, others.beside(leaf, 1, "value") or ""
    elif leaf.path[-2:-1] == ("environment",) and value.partition("=")[0] in _ORIGINS:
        yield ORIGIN, value.partition("=")[2]
    elif key == ALB_ATTRIBUTES:
        yield FRONT_IDLE, value
    elif key == _SYSADMIN:
        yield SYSADMIN, value
    elif key == "name" and value == _SYSADMIN:
        yield SYSADMIN, others.beside(leaf, 1, "value") or ""
    elif leaf.path[-2:-1] == ("environment",) and value.partition("=")[0] == _SYSADMIN:
        yield SYSADMIN, value.partition("=")[2]
    elif (url := _fast_readers(leaf, others)) is not None:
        yield FAST_READERS, url
    elif key in _BODY_KEYS:
        yield BODY_LIMIT, value
    elif key in _READ_KEYS:
        yield READ_TIMEOUT, value
    elif _names_a_host(leaf.path):
        yield HOST, value


def _fast_readers(leaf: Leaf, others: Others) -> str | None:
    """The URL that the API is given; None for all else. A value of the chart is no sign: some versions ignore it."""
    if leaf.path[-1] == _FAST_READER:
        return leaf.value
    if leaf.path[-1] == "name" and leaf.value == _FAST_READER:
        return others.beside(leaf, 1, "value")
    if leaf.path[-2:-1] == ("environment",) and leaf.value.partition("=")[0] == _FAST_READER:
        return leaf.value.partition("=")[2]
    return None


def _names_a_host(path: tuple[str, ...]) -> bool:
    """Ingress rules, the chart's VirtualService, and the module's own domain."""
    rule = len(path) > 3 and path[-4:-2] == ("spec", "rules") and path[-1] == "host"
    virtual = path[-3:-1] == ("virtualService", "hosts")
    return rule or virtual or path[-1] == "custom_domain"


def _values(name: str, text: str) -> Iterator[str]:
    if name == TLS_MINIMUM:
        yield _oldest(text)
    elif name == ORIGIN:
        yield from (one.strip() for one in text.split(",") if _BARE.fullmatch(one.strip()))
    elif name == FRONT_IDLE:
        match = _IDLE.search(text)
        yield match[1] if match else ""
    elif name == SYSADMIN:
        yield text if text == "true" else ""  # the one documented value
    elif name == BODY_LIMIT:
        yield _bytes(text)
    elif name == READ_TIMEOUT:
        match = _SECONDS.fullmatch(text)
        yield match[1] if match and int(match[1]) else ""
    elif name == HOST:
        yield text.lower() if _HOST.fullmatch(text) else ""
    else:
        yield text


def _bytes(text: str) -> str:
    """A size of nginx's in bytes; "" for 0, which is no limit, and for what is no size."""
    match = _SIZE.fullmatch(text)
    if not match:
        return ""
    size = int(match[1]) * 1024 ** " kmg".index(match[2].lower() or " ")
    return str(size) if size else ""


def _oldest(text: str) -> str:
    """The oldest version that a policy or a list of protocols lets through, as "1.2"; "" where that is not known."""
    for pattern in (_POLICY, _CLOUDFRONT, _ISTIO):
        if match := pattern.match(text):
            return f"1.{match[1] or 0}"
    if _OLD_POLICY.match(text):
        return "1.0"
    minors = [int(match[1] or 0) for match in _NGINX.finditer(text)]
    return f"1.{min(minors)}" if minors else ""
