"""Environment variables: rate limits, URLs, origins, strings that are numbers, names that are misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from btdiag.lint.house import Verdict
from btdiag.lint.nodes import Node, Position
from btdiag.lint.subjects import Call, Hit, Release, Setting, Subjects, Variables

KEEPALIVE = "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS"
KNOWN = (
    KEEPALIVE, "OUTBOUND_RATE_LIMIT_MAX_REQUESTS", "OUTBOUND_RATE_LIMIT_WINDOW_MINUTES", "CONTROL_PLANE_TELEMETRY",
    "BRAINSTORE_CONTROL_PLANE_TELEMETRY", "GATEWAY_TELEMETRY", "DISABLE_SYSADMIN_TELEMETRY", "BRAINTRUST_APP_URL",
    "BRAINTRUST_APP_PUBLIC_URL", "BRAINTRUST_API_URL", "BRAINTRUST_API_KEY", "BRAINTRUST_PROXY_URL",
    "BRAINTRUST_ORG_NAME", "BRAINSTORE_RESPONSE_CACHE_URI", "BRAINSTORE_CODE_BUNDLE_URI", "BRAINSTORE_FAST_READER_URL",
    "BRAINSTORE_WRITER_URL", "WHITELISTED_ORIGINS", "WHITELISTED_ORIGIN", "PRIMARY_ORG_NAME", "ALLOWED_ORG_IDS",
    "CODE_FUNCTION_EXECUTION_TIMEOUT_S", "SERVICE_TOKEN_SECRET_KEY", "FUNCTION_SECRET_KEY", "BRAINSTORE_LICENSE_KEY",
    "TS_API_HEALTHSERVER_HOST", "TS_API_HEALTHSERVER_PORT", "TS_API_PORT", "TS_API_HOST",
)  # fmt: skip
_ALONE = {
    "CODE_FUNCTION_EXECUTION_TIMEOUT": "CODE_FUNCTION_EXECUTION_TIMEOUT_S",
    "OUTBOUND_RATE_LIMIT_WINDOW": "OUTBOUND_RATE_LIMIT_WINDOW_MINUTES",
    "OUTBOUND_RATE_LIMIT_": "OUTBOUND_RATE_LIMIT_MAX_REQUESTS",
}
_LONG = [name for name in KNOWN if len(name) >= 14]
_MAX, _WINDOW = "OUTBOUND_RATE_LIMIT_MAX_REQUESTS", "OUTBOUND_RATE_LIMIT_WINDOW_MINUTES"
_APP, _PUBLIC = "BRAINTRUST_APP_URL", "BRAINTRUST_APP_PUBLIC_URL"
_LIMITS = {"outbound_rate_limit_max_requests": _MAX, "outbound_rate_limit_window_minutes": _WINDOW}


def check(subjects: Subjects) -> Iterator[Hit]:
    """Every set of variables, and the arguments of modules that become variables."""
    for variables in subjects.variables:
        yield from _strings(variables)
        yield from _misspelt(variables)
        yield from _limits(variables)
        yield from _urls(variables)
        yield from _origins(variables)
    for call in subjects.calls:
        yield from _arguments(call)
    for release in subjects.releases:
        yield from _shapes(release)


def _strings(variables: Variables) -> Iterator[Hit]:
    for setting in variables.settings:
        if not setting.quoted and setting.place is not None:
            yield Hit(
                rule="config.variables-are-text",
                verdict=Verdict.FAIL,
                place=setting.place,
                key=setting.key,
                summary=f"{setting.name} is a number or a boolean: Kubernetes takes only text and refuses the pod",
                expected="a value in quotes",
                remedy="Put the value into quotes.",
                fix=f'"{setting.text}"',
            )
    for repeat in variables.repeats:
        yield Hit(
            rule="config.variables-stand-once",
            verdict=Verdict.WARN,
            place=repeat.second,
            key=".".join(repeat.path),
            summary=f"{repeat.path[-1]} stands twice in one list (line {repeat.first.line}): the last one counts",
            remedy="Keep one of them.",
        )


def _misspelt(variables: Variables) -> Iterator[Hit]:
    for setting in variables.settings:
        name = setting.name
        if name in KNOWN or len(name) < 12 or setting.place is None:
            continue
        near = [KEEPALIVE] if name.upper().startswith(("TS_API_KEEP_ALIVE", "TS_API_KEEPALIVE")) else None
        near = near or get_close_matches(
            name.upper().replace("-", "_").replace("KEEPALIVE", "KEEP_ALIVE"), _LONG, 1, 0.94
        )
        near = [one for one in near if one == KEEPALIVE or not _other(name, one)] or _reordered(name)
        if near and variables.get(near[0]) is None:
            yield Hit(
                rule="config.variables-are-known",
                verdict=Verdict.WARN,
                place=setting.place,
                key=setting.key,
                summary=f"nothing reads {name[:60]}: {near[0]} is meant, it seems",
                expected=near[0],
                seen=name[:60],
                remedy=f"Write {near[0]}.",
            )


def _reordered(name: str) -> list[str]:
    """The known name that has the same words in another order, or that alone begins as this one does."""
    words = sorted(name.upper().split("_"))
    same = [one for one in _LONG if sorted(one.split("_")) == words]
    return same or [one for prefix, one in _ALONE.items() if name.upper().startswith(prefix)][:1]


def _other(name: str, near: str) -> bool:
    """Whether two names differ in a whole word or only by one more at the end: another variable, no slip."""
    ours, theirs = set(name.split("_")), set(near.split("_"))
    return ours < theirs or ours > theirs


def _limits(variables: Variables) -> Iterator[Hit]:
    for name in (_MAX, _WINDOW):
        setting = variables.get(name)
        if setting is not None and setting.place is not None:
            yield from _limit(name, setting.text, setting.place, setting.key)


def _limit(name: str, text: str | None, place: Position, key: str) -> Iterator[Hit]:
    if text is None:
        return
    number = float(text) if re.fullmatch(r"[-+]?\d{1,9}(\.\d{1,9})?", text.strip()) else None
    wrong = None
    if number is None:
        wrong = f'"{text[:40]}" is no number'
    elif number < 0:
        wrong = f"{text} is below zero"
    elif name == _WINDOW and number == 0:
        wrong = "a window of 0 minutes is none"
    elif name == _MAX and not number.is_integer():
        wrong = f"{text} is no whole number of requests"
    if wrong:
        least = "a whole number, 0 for no limit" if name == _MAX else "a number of minutes above zero"
        yield Hit(
            rule="ratelimit.values-are-valid",
            verdict=Verdict.FAIL,
            place=place,
            key=key,
            summary=f"{wrong}: the limit of outbound requests cannot work as meant",
            expected=least,
            seen=text[:40],
            remedy=f"Set {name} to {least}.",
        )


def _arguments(call: Call) -> Iterator[Hit]:
    for argument, name in _LIMITS.items():
        node = call.arguments.get(argument)
        if node is not None and node.place is not None and node.known and node.value is not None:
            numeric = re.fullmatch(r"[-+]?\d+(\.\d+)?", node.text or "")
            if numeric:  # a text that is no number is the wrong type, which another rule says
                yield from _limit(name, node.text, node.place, argument)


def _urls(variables: Variables) -> Iterator[Hit]:
    if variables.role not in ("any", "other"):
        return
    app, public = variables.get(_APP), variables.get(_PUBLIC)
    if app is None or app.text is None or app.place is None or not app.text or "$" in app.text:
        return
    if not _is_url(app.text):
        yield _not_a_url(app, app.place)
    elif _is_control_plane(app.text):
        return
    elif public is None:
        yield _no_public(app.place, app.key, "links will point at the data plane, which has no pages")
    elif public.place is not None and public.text is not None and "$" not in public.text:
        yield from _public(app.text, public, public.place)


def _public(app: str, public: Setting, place: Position) -> Iterator[Hit]:
    text = public.text or ""
    if not text:
        yield _no_public(place, public.key, f"an empty {_PUBLIC} gives links without a host")
    elif not _is_url(text):
        yield _not_a_url(public, place)
    elif urlsplit(text).hostname == urlsplit(app).hostname:
        yield _no_public(place, public.key, "both name the data plane: links will point at it, and it has no pages")


def _no_public(place: Position, key: str, summary: str) -> Hit:
    return Hit(
        rule="appurl.links-lead-to-the-app",
        verdict=Verdict.WARN,
        place=place,
        key=key,
        summary=summary,
        expected=f"{_PUBLIC}=https://www.braintrust.dev",
        remedy=f"Set {_PUBLIC}=https://www.braintrust.dev beside {_APP}.",
    )


def _not_a_url(setting: Setting, place: Position) -> Hit:
    return Hit(
        rule="appurl.is-a-url",
        verdict=Verdict.FAIL,
        place=place,
        key=setting.key,
        summary=f"{setting.name} is no URL: it needs https:// and a host",
        expected="https://host",
        remedy="Write the whole URL.",
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _is_control_plane(text: str) -> bool:
    host = urlsplit(text.strip()).hostname or ""
    return host in ("localhost", "127.0.0.1") or host.endswith(("braintrust.dev", "braintrustdata.com"))


def _origins(variables: Variables) -> Iterator[Hit]:
    setting = variables.get("WHITELISTED_ORIGINS") or variables.get("WHITELISTED_ORIGIN")
    if setting is not None and setting.text and setting.place is not None and "$" not in setting.text:
        for origin in setting.text.split(","):
            yield from origin_hits(origin.strip(), setting.place, setting.key)


def origin_hits(origin: str, place: Position, key: str) -> Iterator[Hit]:
    """An origin is compared as a whole: scheme, host and port, nothing behind them (Fetch standard, 3.2)."""
    if not origin or re.fullmatch(r"https?://[^/\s?#*]+", origin):
        return
    bare = re.match(r"https?://[^/\s?#*]+", origin)
    yield Hit(
        rule="cors.origins-are-bare",
        verdict=Verdict.WARN,
        place=place,
        key=key,
        summary=f'"{origin[:80]}" is no origin: browsers send scheme and host, without a path or a slash at the end',
        expected=bare.group() if bare else "https://host",
        seen=origin[:80],
        remedy=f"Write {bare.group()}." if bare else "Write scheme and host: https://host.",
    )


def _shapes(release: Release) -> Iterator[Hit]:
    """extraEnvVars as a map, or items that are no {name, value}."""
    for path in (("api",), ("aiGateway",), *(("brainstore", role) for role in ("reader", "fastreader", "writer"))):
        node = release.user.at(*path, "extraEnvVars")
        if node is None or node.place is None or not release.chart.reads((*path, "extraEnvVars")):
            continue
        key = release.key(*path, "extraEnvVars")
        if node.map or (node.text or "").strip():
            yield _shape(node.place, key, "is no list: the chart does not render")
        for index, item in enumerate(node.items):
            if item.text is not None or (item.map and item.at("name") is None):
                yield _shape(_at(item, node), f"{key}.{index}", "is no {name, value}: Kubernetes takes nothing else")
        yield from _replaced(release, (*path, "extraEnvVars"))


def _replaced(release: Release, path: tuple[str, ...]) -> Iterator[Hit]:
    """Variables of an earlier file that a later list, which replaces the earlier one, does not name."""
    lists = [node for file in release.files if (node := file.at(*path)) is not None]
    last = lists[-1] if len(lists) > 1 else None
    if last is None or last.place is None:
        return
    kept = {item.text_at("name") for item in last.items}
    earlier = {item.text_at("name"): item for node in lists[:-1] for item in node.items}
    lost = [name for name in earlier if name and name not in kept]
    if lost:
        yield Hit(
            rule="config.lists-are-whole",
            verdict=Verdict.WARN,
            place=last.place,
            key=release.key(*path),
            summary=f"this list replaces the one of an earlier file: {', '.join(lost)[:120]} is lost with it",
            expected="a list with all variables",
            remedy="Repeat the earlier variables here: Helm merges maps, and replaces lists.",
        )


def _at(item: Node, node: Node) -> Position:
    place = item.place or node.place
    assert place is not None
    return place


def _shape(place: Position, key: str, what: str) -> Hit:
    return Hit(
        rule="config.variables-are-a-list",
        verdict=Verdict.FAIL,
        place=place,
        key=key,
        summary=f"extraEnvVars {what}",
        expected="a list of name and value",
        remedy='Write "- name: NAME" and, below it, "value: ...".',
    )
