"""SDKs that are constrained to the data plane: their control-plane calls, where login sends them, the URLs given."""

from __future__ import annotations

from btdiag.judge import sdk
from btdiag.judge.exchange import Exchange
from btdiag.judge.sdk_facts import ControlPlane, SdkEnvironment
from btdiag.measurement import NotMeasured, PerAddress
from btdiag.model import Finding, Target, conclude


def check_control_plane_routes_proxied(
    control_plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target
) -> Finding:
    """The data plane passes on every control-plane call that the SDKs need.

    An SDK whose BRAINTRUST_APP_URL is the data plane logs in there, and older Python and all JavaScript versions also
    register projects, experiments and datasets there. If one of these calls is missing, init() raises, while
    init_logger() never does: logs are lost silently.

    Measured: login and GET /api/project with the key, where one is set; the calls that would write without a key and
    with an empty object, beside an unknown path: a refusal is the right answer. Judged for each SDK of --sdk (by
    default the newest known Python and JavaScript). It fails where --sdk, --role sdk or an app URL that is the data
    plane says that SDKs are constrained, and warns where nothing does.

    Remedy: route /api/* to the API server, and let that reach the control plane; or do not constrain SDKs.

    Sources: https://www.braintrust.dev/docs/admin/self-hosting; https://pypi.org/project/braintrust/
    """
    return conclude(sdk.control_plane_routes_proxied(control_plane, ping, target))


def check_login_points_here(
    control_plane: ControlPlane, ping: PerAddress[Exchange] | NotMeasured, target: Target
) -> Finding:
    """Login names this data plane as the organisation's API.

    SDKs send their data to the api_url that login names, unless BRAINTRUST_API_URL is set. The hosted API answers 421
    for an organisation with a data plane of its own: experiments fail, logs are lost without an exception.

    Measured: POST /api/apikey/login at the target with the key; scheme, host, port and path of org_info[].api_url are
    compared with the target's. The address found there is not contacted.

    Remedy: correct the API URL in the organisation's settings, or set BRAINTRUST_API_URL for the SDKs.

    Sources: RFC 9110 section 15.5.20; https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(sdk.login_points_here(control_plane, ping, target))


def check_app_url_consistent(sdk_environment: SdkEnvironment, target: Target) -> Finding:
    """The URLs that SDKs are given fit together.

    SDKs call BRAINTRUST_APP_URL and print links to BRAINTRUST_APP_PUBLIC_URL. With the data plane as app URL and no
    public URL all links lead to a host that has no pages; an empty public URL makes Python print links without a host.

    Measured: nothing is sent. --app-url and the variables BRAINTRUST_APP_PUBLIC_URL and BRAINTRUST_API_URL, as set
    where btdiag runs, are held against each other and the target; the public URL need not be reachable from here.

    Remedy: set BRAINTRUST_APP_PUBLIC_URL to the web app, or unset it.

    Sources: https://pypi.org/project/braintrust/; https://www.npmjs.com/package/braintrust
    """
    return conclude(sdk.app_url_consistent(sdk_environment, target))
