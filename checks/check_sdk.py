"""SDKs that are constrained to the data plane: their calls, where login sends them, the URLs given."""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.gateway.facts.routes import RouteAnswers
from btdiag.families.sdk.facts import ControlPlane, SdkEnvironment
from btdiag.families.sdk.judge import data, login, routes, urls


def check_control_plane_routes_proxied(
    control_plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target
) -> Finding:
    """The data plane passes on every control-plane call that the SDKs need.

    An SDK whose BRAINTRUST_APP_URL is the data plane logs in there, and Python before 0.35 and all JavaScript versions
    also register projects, experiments and datasets there. If one of these calls is missing, Eval() and login() raise,
    while init_logger(), init() and init_dataset() never do: what they are given is lost silently (Python prints to
    stderr, JavaScript nothing).

    Measured: login and GET /api/project with the key, where one is set; the other calls without a key and with an
    empty object, beside an unknown path: a refusal is the right answer. Where that path is refused alike, GET with the
    key, which cannot write, is asked of each: 405 says that the call is there, and 404 that it is not, on a server that
    tells the two apart. A login that is answered 429 or 50x is asked
    for once more, as Python does and JavaScript does not. Judged for each SDK of --sdk (by default the newest known
    Python and JavaScript). It fails where --sdk, --role sdk or an app URL that is the data plane says that SDKs are
    constrained. Where nothing does it warns of calls that are missing among others, and is skipped where the data
    plane passes none on.

    Remedy: route /api/* to the API server, and let that reach the control plane; or do not constrain SDKs.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting; https://pypi.org/project/braintrust/
    """
    return conclude(routes.control_plane_routes_proxied(control_plane, ping, target))


def check_data_plane_routes_answered(
    control_plane: ControlPlane, route_answers: RouteAnswers | NotMeasured, target: Target
) -> Finding:
    """The data plane answers every call of its own that the SDKs make.

    All SDKs send rows to /logs3, and lose them silently where it cannot take them: even Eval() prints its summary then.
    Python from 0.35 on also needs /v1/project, /v1/experiment and /v1/dataset.

    Measured: the calls without a key, those that write with an empty object: a refusal is the right answer. Judged for
    each SDK of --sdk, by default the newest known Python and JavaScript.

    Remedy: route these paths, and what is below them, to the API server.

    Sources: https://pypi.org/project/braintrust/; https://www.npmjs.com/package/braintrust
    """
    return conclude(data.data_plane_routes_answered(control_plane, route_answers, target))


def check_login_points_here(
    control_plane: ControlPlane,
    ping: PerAddress[Exchange] | NotMeasured,
    sdk_environment: SdkEnvironment,
    target: Target,
) -> Finding:
    """Login names this data plane as the organisation's API.

    SDKs send their data to the api_url that login names for their organisation (the first, unless BRAINTRUST_ORG_NAME
    is set), or to BRAINTRUST_API_URL. The hosted API answers 421 for an organisation with a data plane of its own: rows
    are lost without an exception.

    Measured: POST /api/apikey/login at the target with the key; scheme, host, port and path of org_info[].api_url are
    compared with the target's, and its proxy_url, where SDKs call functions, is looked at. The address found there is
    not contacted, except with one GET /version without a key where it is another port or path of the target's own host;
    another host is looked up in DNS, and where it has an address of the target, and shows the same certificate there,
    it is another name of the same server.

    Remedy: correct the API URL in the organisation's settings, or set BRAINTRUST_API_URL for the SDKs.

    Sources: RFC 9110 section 15.5.20; https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(login.login_points_here(control_plane, ping, sdk_environment, target))


def check_app_url_consistent(sdk_environment: SdkEnvironment, target: Target) -> Finding:
    """The URLs that SDKs are given fit together.

    SDKs call BRAINTRUST_APP_URL and print links to BRAINTRUST_APP_PUBLIC_URL. With the data plane as app URL and no
    public URL all links lead to a host that has no pages; an empty public URL makes Python print links without a host.
    An empty app URL stops Python, an empty API URL JavaScript: both take it for the URL.

    Measured: nothing is sent. --app-url and the variables BRAINTRUST_APP_URL, BRAINTRUST_APP_PUBLIC_URL,
    BRAINTRUST_API_URL and BRAINTRUST_PROXY_URL, as set where btdiag runs, are held against each other and the target;
    the public URL need not be reachable from here.

    Remedy: set BRAINTRUST_APP_PUBLIC_URL to the web app, or unset it.

    Sources: https://pypi.org/project/braintrust/; https://www.npmjs.com/package/braintrust
    """
    return conclude(urls.app_url_consistent(sdk_environment, target))
