"""What the data plane answered to the calls of SDKs, and what each answer says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from btdiag.core.exchange import Exchange, Trouble
from btdiag.core.finding import HopName
from btdiag.core.sender import Confidence, json_body, page, redirect, sender
from btdiag.core.target import Target
from btdiag.core.urls import same_place
from btdiag.families.sdk.needs import SdkRoute

HOSTED = frozenset({"api.braintrust.dev", "api-eu.braintrust.dev", "gateway.braintrust.dev"})


SOURCES = (
    "https://www.braintrust.dev/docs/admin/self-hosting",
    "https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (routes of the API gateway)",
    "https://pypi.org/project/braintrust/ and https://www.npmjs.com/package/braintrust (sources of the packages)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation as login describes it: where its SDKs are sent. None where login says nothing. `is_complete`
    tells that it has an id and a name, without which Python refuses the login (observed with 0.34.0 to 0.48.1)."""

    name: str
    api_url: str | None
    proxy_url: str | None = None
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """POST /api/apikey/login at the target. `keyed` tells if the API key went with it; `organisations` is None when the
    answer is no login answer. `first` is the answer before it where that was 429, 50x or broken, so that it was asked
    again. The body of a success is not kept."""

    exchange: Exchange
    keyed: bool
    organisations: tuple[Organisation, ...] | None = None
    first: Exchange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Namesake:
    """What is known of another host name that login's api_url has: the addresses that it shares with the target, and
    whether the very certificate is shown there under that name (None where that was not seen)."""

    host: str
    shared: tuple[str, ...]
    same_certificate: bool | None = None

    @property
    def is_same_server(self) -> bool:
        """The same addresses and the same certificate: another name of the same load balancer."""
        return bool(self.shared) and self.same_certificate is True


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """What the target answers to the calls of SDKs. `routes` are those to the control plane, asked without the key
    where they could write, `data` the data plane's own, asked without it; `unknown` is a POST to a path that does not
    exist, for comparison. `elsewhere` is GET /version at the api_url that login names, where that is another place on
    the target's own host, `namesake` what is known of that name where it is another host's. `keyed` are GETs with the
    key on those that answer without it as the unknown path does: such a request cannot write. They come with a GET on
    the unknown path (`keyed_unknown`) and one on the login's (`keyed_login`), whose POST is known to be there."""

    login: Login
    routes: tuple[tuple[SdkRoute, Exchange], ...]
    unknown: Exchange
    data: tuple[tuple[SdkRoute, Exchange], ...] = ()
    elsewhere: Exchange | None = None
    namesake: Namesake | None = None
    keyed: tuple[tuple[SdkRoute, Exchange], ...] = ()
    keyed_unknown: Exchange | None = None
    keyed_login: Exchange | None = None

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """All that passed on to the control plane, or should have."""
        first = () if self.login.first is None else (self.login.first,)
        return (*first, self.login.exchange, *(seen for _, seen in self.routes))

    @property
    def direct(self) -> tuple[Exchange, ...]:
        """All that the data plane answers itself."""
        return tuple(seen for _, seen in self.data)


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkEnvironment:
    """The SDKs' variables as set where btdiag runs; None where unset ("" is set to nothing). Without userinfo."""

    app_url: str | None = None
    app_public_url: str | None = None
    api_url: str | None = None
    proxy_url: str | None = None
    org_name: str | None = None


def served(listed: Sequence[Organisation], environment: SdkEnvironment) -> Sequence[Organisation]:
    """Those that SDKs may choose: all, of which they take the first, or the one that BRAINTRUST_ORG_NAME names. An
    empty name is one too, which no organisation has (observed with all four versions)."""
    name = environment.org_name
    return listed if name is None else [one for one in listed if one.name == name]


def organisations(body: str) -> tuple[Organisation, ...] | None:
    """The organisations of a login answer; None when the body is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    listed = parsed.get("org_info") if isinstance(parsed, dict) else None
    if not isinstance(listed, list):
        return None
    return tuple(_organisation(entry) for entry in listed[:50] if isinstance(entry, dict))


def _organisation(entry: dict[str, object]) -> Organisation:
    def text(key: str) -> str | None:
        value = entry.get(key)
        return value[:300] if isinstance(value, str) and value else None

    return Organisation(
        name=text("name") or "?",
        api_url=text("api_url"),
        proxy_url=text("proxy_url"),
        is_complete=isinstance(entry.get("id"), str) and isinstance(entry.get("name"), str),
    )


class RouteState(StrEnum):
    """What an answer says of a route at the data plane."""

    THERE = "answered"
    MISSING = "missing"
    BROKEN = "broken"
    LIMITED = "rate limited"
    UNTOLD = "cannot be told"  # everything under the host is refused alike without a key


_TELLS_NOTHING = frozenset({Trouble.TIMEOUT, Trouble.LOCAL})


def state(seen: Exchange, unknown: Exchange) -> RouteState:
    """Whether the route is proxied. Without a key a refusal is the right answer, unless paths that do not exist are
    refused in the same way. An answer that takes longer than we wait tells nothing: SDKs wait for 60 s."""
    if seen.failure is not None:
        return RouteState.UNTOLD if seen.failure.trouble in _TELLS_NOTHING else RouteState.BROKEN
    status = seen.status or 0
    if status == 429:
        return RouteState.LIMITED
    if keeps_method(seen):
        return RouteState.UNTOLD if keeps_method(unknown) else RouteState.THERE
    if status >= 500 or status == 421 or redirect(seen) is not None:
        return RouteState.MISSING if status == 501 else RouteState.BROKEN
    if status in {404, 405} or _is_foreign_page(seen, unknown) or sender(seen).name == "AWS API Gateway":
        return RouteState.MISSING
    if status in {401, 403} and status == unknown.status and not _from_control_plane(seen):
        return RouteState.UNTOLD
    return RouteState.THERE


def settled_state(plane: ControlPlane, route: SdkRoute, found: RouteState) -> RouteState:
    """The same in the light of a GET with the key, where a POST without it told nothing (RFC 9110 section 15.5.6): 405
    says that the route is there. 404 says that it is not, if this server tells a wrong method from a path that does not
    exist, as its answer to a GET on the login shows; many do not."""
    seen, unknown, login = dict(plane.keyed).get(route), plane.keyed_unknown, plane.keyed_login
    if found is not RouteState.UNTOLD or seen is None or unknown is None or seen.status is None:
        return found
    if seen.status == 405 or (seen.status not in {401, 403, 404, unknown.status} and seen.status < 500):
        return RouteState.THERE
    tells = login is not None and login.status not in {None, 401, 403, 404} and plane.login.organisations is not None
    return RouteState.MISSING if seen.status == 404 and unknown.status == 404 and tells else found


def keeps_method(seen: Exchange) -> bool:
    """Whether the answer sends the caller to https on the same host and path, with method, body and key (307 and 308,
    RFC 9110 sections 15.4.8 and 15.4.9): SDKs follow, and nothing is lost."""
    leads = redirect(seen)
    if leads is None or not leads.same_host or seen.status not in {307, 308}:
        return False
    there, here = urlsplit(leads.url), urlsplit(seen.url)
    return there.scheme == "https" and (there.hostname, there.path) == (here.hostname, here.path)


def login_state(login: Login, unknown: Exchange, *, accepted: bool) -> RouteState:
    """The same of the login, which is asked for as long as Python waits (20 s). A success must tell of organisations,
    if only that there are none; with a key it must be one, and where the API itself took that key (`accepted`), a
    refusal is this route's fault."""
    seen = login.exchange
    if seen.failure is not None:
        return RouteState.UNTOLD if seen.failure.trouble is Trouble.LOCAL else RouteState.BROKEN
    if 200 <= (seen.status or 0) < 300:
        return RouteState.THERE if login.organisations is not None else RouteState.MISSING
    if login.keyed and seen.status in {401, 403}:
        return RouteState.BROKEN if accepted else RouteState.MISSING
    return state(seen, unknown)


def data_state(seen: Exchange, unknown: Exchange) -> RouteState:
    """The same of a route of the data plane itself, where any refusal of the API will do."""
    found = state(seen, unknown)
    return RouteState.THERE if found is RouteState.UNTOLD and seen.status in {401, 403} else found


def is_data_plane(seen: Exchange) -> bool:
    """Whether GET /version was answered as a data plane does: in JSON."""
    return seen.failure is None and seen.status == 200 and json_body(seen) is not None


def _is_foreign_page(seen: Exchange, unknown: Exchange) -> bool:
    """A web page, unless it is what a gateway puts in the place of every error of the API."""
    return page(seen) is not None and ((seen.status or 0) < 400 or page(unknown) is None)


def _from_control_plane(seen: Exchange) -> bool:
    who = sender(seen)
    return who.hop is HopName.CONTROL_PLANE and who.confidence is not Confidence.UNKNOWN


def is_constrained(target: Target) -> bool:
    """Whether it was declared that SDKs talk to the data plane alone: by the app URL, --sdk or --role sdk."""
    return bool(target.sdks) or target.role == "sdk" or same_place(target.app_url, target.url)
