"""Does the API answer, on every address, every time, soon, as itself; and so do what stands behind it and its key."""

from btdiag.core.account import Closing
from btdiag.core.answers import Roots
from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.keepalive.facts import BackendIdle
from btdiag.families.keepalive.judge import staying
from btdiag.families.keepalive.watched import Watch
from btdiag.families.readiness.facts import Arrival, KeyContrast, Repeats
from btdiag.families.readiness.judge import account, alike, api, key, root


def check_root_answers(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    backend_root: Exchange | NotMeasured,
    arrival: Arrival | NotMeasured,
) -> Finding:
    """GET / is answered by the API.

    It is what load balancers and Kubernetes ask to decide if the API server is healthy. When it fails on every address,
    nobody can use the data plane: the web app says "Failed to fetch", SDKs lose what they log.

    Measured: GET / six times on every address (--deep: thirty), each on a connection of its own, without a key and
    without following redirects. 200 to 399 is good, as for the platforms' own health checks, unless it leads to another
    host or a login, or is a web page while /version is no JSON. The headers and the page of a bad answer tell which
    product wrote it. With --backend the API server is asked directly too, which tells the load balancer's fault from
    the API's. Where every connection is closed without an answer (http:// only), or no rule knows the host, GET / is
    sent once more after a line of the PROXY protocol, or with the other form of the host: what is answered then was
    expected so.

    Remedy: depends on who answers in the API's place; the finding names the hop. In most cases: route the host and all
    paths to port 8000 of a running API server, with GET / as health check, and no login in front.

    Sources: RFC 9110 section 15; https://github.com/braintrustdata/helm (probes in values.yaml);
    https://github.com/braintrustdata/terraform-aws-braintrust-data-plane (health checks of the target groups)
    """
    return conclude(root.root_answers(roots, version, backend_root, arrival))


def check_answers_are_one_servers(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    repeats: PerAddress[Repeats] | NotMeasured,
) -> Finding:
    """The same question gets the same answer, alone and several at once.

    A selector that takes in two applications, replicas of two versions, or a limit of requests at once give several
    answers to one question. Everything else that is seen then depends on chance: first this, then the rest.

    Measured: on every address GET / six times, five of them at once, and GET /version four times, one after the other
    (--deep: more). Kinds of answers are counted; a gateway's 502, 503 and 504 are not, for those tell of a dead server
    (readiness.answers-steadily). Where some of several at once failed, GET / is sent twenty times alone, then twice
    six at once: what fails only at once, time after time, is a limit, and no broken server. Two applications or a limit
    are a failure, two versions of the API a warning.

    Remedy: take out of the load balancer's pool what is no Braintrust API; raise the limit for each client.

    Sources: RFC 9110 section 15; https://nginx.org/en/docs/http/ngx_http_limit_conn_module.html;
    https://nginx.org/en/docs/http/ngx_http_limit_req_module.html
    """
    return conclude(alike.answers_are_one_servers(roots, version, repeats))


def check_every_address_agrees(
    roots: PerAddress[Roots], version: PerAddress[Exchange] | NotMeasured, repeats: PerAddress[Repeats] | NotMeasured
) -> Finding:
    """Every address of the target gives the same answer.

    A name with several addresses sends each client to one of them by chance. One that answers otherwise breaks some
    users some of the time, and looks like a network problem; an HTTP error does not make clients try the next address.

    Measured: GET / and GET /version on every address. An address on which GET / never succeeds while it does elsewhere
    is a failure; different statuses, or different versions of the API, are a warning.

    Remedy: take the broken address out of DNS, mend the load balancer node or the backends behind it, then put it back.

    Sources: RFC 9110 section 15; RFC 8305 (clients fall back to another address for connections only)
    """
    return conclude(
        alike.blocked_by_mixture(roots, version, repeats)
        or root.every_address_agrees(roots, version, alike.serves_several_versions(version, repeats))
    )


def check_answers_steadily(
    roots: PerAddress[Roots], version: PerAddress[Exchange] | NotMeasured, repeats: PerAddress[Repeats] | NotMeasured
) -> Finding:
    """An address that answers GET / does so every time.

    Some of the requests failing means that one of several backends or load balancer nodes is broken, or that an API
    server restarts again and again. SDKs retry and hide it, at the price of slowness; the web app shows errors.

    Measured: six requests for every address (--deep: thirty), on connections of their own; failures are counted where
    at least one request succeeded. What fails always is readiness.root-answers or readiness.every-address-agrees.

    Remedy: find the backend whose health check fails or flaps, read its log, take it out or replace it.

    Sources: RFC 9110 section 15.6;
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
    """
    return conclude(alike.blocked_by_mixture(roots, version, repeats) or root.answers_steadily(roots, version))


def check_answers_promptly(roots: PerAddress[Roots], version: PerAddress[Exchange] | NotMeasured) -> Finding:
    """The first byte of GET / comes within two seconds.

    GET / does no work. If it is slow, the API server's event loop is blocked, the load balancer queues, or the network
    is long; every other request waits at least as long, and beyond five seconds health checks take the server out.

    Measured: the time from the last byte sent to the first byte received, as the median of the good answers of each
    address. More than 2 s is a warning, more than 5 s (the health checks' timeout) a failure.

    Remedy: add replicas or CPU to the API server; ask it with --backend to see on which side the time is lost.

    Sources: https://github.com/braintrustdata/helm (timeoutSeconds 5 in values.yaml);
    https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(root.answers_promptly(roots, version))


def check_api_speaks_json(
    roots: PerAddress[Roots], version: PerAddress[Exchange], repeats: PerAddress[Repeats] | NotMeasured
) -> Finding:
    """GET /version is answered in JSON by the API.

    SDKs read from it how much they may send at once. HTML in its place means that a login, a web site or a firewall
    answers, or that only / is routed to the API.

    Measured: GET /version without a key, up to four times where a gateway error comes in its place. JSON of the API
    passes, whatever its status below 500; a missing route is a warning.

    Remedy: route all paths of the host to the API server, without a login in front.

    Sources: RFC 8259; https://github.com/braintrustdata/braintrust-sdk-javascript (logs3_payload_max_bytes)
    """
    return conclude(alike.blocked_by_mixture(roots, version, repeats) or api.api_speaks_json(roots, version))


def check_key_is_accepted(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    ping: PerAddress[Exchange],
    key_contrast: KeyContrast | NotMeasured,
    target: Target,
    repeats: PerAddress[Repeats] | NotMeasured,
) -> Finding:
    """The API accepts the API key.

    SDKs report any refusal at login as "Invalid API key", whoever refused: a gateway's login, a firewall, or the API.
    And what they log with a wrong key is lost without an exception.

    Measured: GET /ping with the key as bearer token, where it may go: to the target's own host over verified TLS, or
    over http to a loopback address; otherwise the key stays here and the check is skipped. Where that is
    refused, it is asked again without a key, with a made-up one, with the key as x-bt-auth-token and, with --backend
    over verified TLS or on a loopback address, past the load balancer: what changes the answer tells a key that is not
    valid from a header that a gateway takes away.

    Remedy: use a key of the organisation that the data plane serves; let the gateway pass Authorization on, and exempt
    the API from logins in front of it.

    Sources: RFC 9110 sections 11.6.2 and 15.5.2; RFC 6750 section 2.1
    """
    return conclude(
        alike.blocked_by_mixture(roots, version, repeats)
        or key.key_is_accepted(roots, version, ping, key_contrast, target)
    )


def check_status_is_not_latched(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    status: PerAddress[Exchange],
    repeats: PerAddress[Repeats] | NotMeasured,
) -> Finding:
    """/status does not fail where GET / is fine.

    Once /status has failed it never recovers, though the server does. Helm charts 3.0.3 to 4.1.0 use it for readiness:
    after one hiccup of the database a pod stays out of the load balancer until somebody restarts it.

    Measured: GET /status on every address on which GET / succeeds. A failure there is the latch, a warning, for users
    notice only if a health check asks it; both failing is a server that is down, which readiness.root-answers reports.
    A target without /status skips.

    Remedy: use GET / for every readiness probe and health check (the default since chart 5.0.0); restart to unlatch.

    Sources: https://github.com/braintrustdata/helm (values.yaml and README of charts 3.0.3, 4.1.0 and 5.0.0)
    """
    return conclude(
        alike.blocked_by_mixture(roots, version, repeats) or api.status_is_not_latched(roots, version, status)
    )


def check_backend_agrees(
    roots: PerAddress[Roots],
    version: PerAddress[Exchange] | NotMeasured,
    backend_root: Exchange,
    repeats: PerAddress[Repeats] | NotMeasured,
) -> Finding:
    """The API server behind the load balancer answers as the load balancer does.

    Healthy in front and broken behind means that the load balancer answers in the API's place, and hides the failure
    from health checks, or that one of several API servers is broken. The other way round the load balancer is at fault:
    readiness.root-answers says so then.

    Measured: GET / at the --backend URL, never through a proxy and without the key, beside GET / at the target.

    Remedy: mend that API server; let the load balancer pass GET / on instead of answering it.

    Sources: RFC 9110 section 15
    """
    return conclude(
        alike.blocked_by_mixture(roots, version, repeats) or api.backend_agrees(roots, version, backend_root)
    )


def check_brainstore_answers(brainstore_root: Exchange) -> Finding:
    """Brainstore answers GET /.

    Without Brainstore the API server still answers, but logs cannot be queried and the web app shows no data.

    Measured: GET / at the --brainstore URL, as Brainstore's own readiness probe does; 200 to 399 is good.

    Remedy: start Brainstore, open port 4000 to the API server, and probe GET / instead of /status.

    Sources: https://github.com/braintrustdata/helm (brainstore probes in values.yaml)
    """
    return conclude(api.brainstore_answers(brainstore_root))


def check_api_stays_up(api_watch: Watch | NotMeasured, backend_idle: BackendIdle | NotMeasured) -> Finding:
    """The API server stays up while it is looked at.

    A process that ends and is started again answers every single question well, and loses whatever is under way each
    time. It looks like a keep-alive that is too short, and is none: all connections end at one moment, not at one age.

    Measured: a GET / every second or so while idle connections age, each on a new connection, and after one that fails
    some more, until it is over; with --backend as many on connections to the API itself, which are held: all end at one
    moment, again and again, whatever their age, and new ones are refused.

    Remedy: look at the exit code and the last log lines of the API's process: memory, a failing liveness probe, an
    uncaught error.

    Sources: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-restarts
    """
    return conclude(staying.api_stays_up(api_watch, backend_idle))


def check_no_unexplained_errors(closing: Closing) -> Finding:
    """No request of the whole run was lost to an error that nothing else explains.

    A single 502 among hundreds of good answers is asked again by SDKs and by most measurements, and so forgotten. Users
    of the web app meet it as an error now and then that nobody can reproduce.

    Measured: every 5xx, reset, empty or cut answer of the target and of --backend in this run, with who sent it, to
    which route, of which size and when; not those to requests that are meant to break something, nor idle connections
    that end. What another finding is about is explained by it. One that is left is a warning, more are a failure.

    Remedy: look at the time and route of each in the log of whoever sent it; the finding names both.

    Sources: RFC 9110 section 15.6
    """
    return conclude(account.no_unexplained_errors(closing))
