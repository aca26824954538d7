"""Keep-alive: idle timeouts of client, load balancer and API server in the right order, and what happens if not."""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.target import Target
from btdiag.families.keepalive.facts import BackendIdle, FrontIdle, Race
from btdiag.families.keepalive.judge import contained, effective, front, outlives, product
from btdiag.families.keepalive.watched import Watch


def check_backend_outlives_load_balancer(
    target: Target,
    backend_idle: BackendIdle | NotMeasured,
    race: Race | NotMeasured,
    version: PerAddress[Exchange] | NotMeasured,
    api_watch: Watch | NotMeasured,
    front_mark: Exchange | NotMeasured,
) -> Finding:
    """The backend keeps an idle connection open longer than the load balancer does.

    When the backend closes first, the load balancer can send a request on a connection that is already closing. The
    client sees a 502, 503 or an empty reply, though the API server is healthy and logs nothing. It happens to any
    request after a pause of the backend's keep-alive time; proxies retry a GET, so mostly POSTs are lost.

    Measured: the order of both timeouts as measured (--backend), declared (--lb-idle-timeout, --backend-keepalive, or
    the files of --config) or by default (65 s, and Node.js closes one second later; of a load balancer that is
    recognised by its answers, or by what it says to a host that nobody has, that product's own, which is then only a
    warning). Equal values count as wrong and a
    margin below two seconds as a risk, which is stricter than "match or exceed": timers that run out together are the
    race itself. With --induce the race is provoked: 200 harmless POSTs at once as idle connections reach that age,
    against the same volley on fresh connections; where no keep-alive is declared or measured also at 6 s, the own
    default of Node.js. That can cost real requests, and make a load balancer take servers
    out for seconds.

    Remedy: set TS_API_KEEP_ALIVE_TIMEOUT_SECONDS at least five seconds above the load balancer's idle timeout, or
    lower the load balancer's idle timeout below it.

    Sources: RFC 9112 section 9.5; RFC 9110 section 9.2.2; https://nodejs.org/api/http.html#serverkeepalivetimeout
    """
    answers = () if isinstance(version, NotMeasured) else version.facts.values()
    passed = product.products_in_front(answers, front_mark)
    return conclude(outlives.backend_outlives(target, backend_idle, race, passed, api_watch))


def check_declared_timeout_is_effective(
    target: Target,
    backend_idle: BackendIdle | NotMeasured,
    early_backend_idle: BackendIdle | NotMeasured,
    api_watch: Watch | NotMeasured,
) -> Finding:
    """The backend's keep-alive timeout is in effect as declared.

    A variable set on the wrong deployment, or misspelt, leaves the default of 65 seconds in place, and the race with
    it.

    Measured: four connections to --backend, each idle after one request, until the backend closes them, against
    --backend-keepalive, or the file of --config that sets it; Node.js closes one second after its setting. Where the
    budget does not hold the declared time they are watched past the default of 65 s: a backend that closes by then does
    not do as declared.

    Remedy: set TS_API_KEEP_ALIVE_TIMEOUT_SECONDS on the API's own container (api.extraEnvVars in Helm) and restart
    it.

    Sources: https://nodejs.org/api/http.html#serverkeepalivetimeout
    """
    return conclude(effective.declared_is_effective(target, backend_idle, early_backend_idle, api_watch))


def check_front_idle_timeout_suffices(front_idle: PerAddress[FrontIdle]) -> Finding:
    """The load balancer keeps a client's idle connection long enough, and ends it visibly.

    SDKs reuse connections from a pool. One that is closed after every answer costs a TCP and a TLS handshake each time;
    one that is closed unannounced, or only when it is used, loses the request.

    Measured: connections to each address, idle after one request: some held until they end, some used again at several
    ages.

    Remedy: raise the load balancer's idle timeout towards clients, and have it close with FIN.

    Sources: RFC 9112 section 9.5; https://undici.nodejs.org; https://www.python-httpx.org/advanced/resource-limits/
    """
    return conclude(front.front_idle_suffices(front_idle.facts))


def check_no_silent_drop(front_idle: PerAddress[FrontIdle], race: Race | NotMeasured) -> Finding:
    """Nothing on the way forgets an idle connection silently.

    NAT gateways and firewalls drop the state of idle flows, often after four minutes or less. Neither side is told: the
    next request on the connection hangs until its timeout, while every new connection works.

    Measured: requests on connections of several idle ages, up to the length of the run's wait; where one stays
    unanswered for five seconds, a new connection is tried, and the system asked whether the peer acknowledged the
    request.

    Remedy: have the middlebox send resets or raise its idle timeout, close idle connections earlier, or use TCP
    keep-alives.

    Sources: RFC 5382 section 5
    """
    return conclude(front.no_silent_drop(front_idle.facts, race))


def check_hint_is_true(front_idle: PerAddress[FrontIdle]) -> Finding:
    """A Keep-Alive hint promises no more than the load balancer keeps.

    Clients such as Node's fetch reuse a connection for as long as `Keep-Alive: timeout=` says. When the header is the
    API server's, passed on by a load balancer that closes earlier, they send requests into closing connections.

    Measured: the header of the first answer on each address against the age at which idle connections end.

    Remedy: remove the header at the load balancer, or keep connections longer than it says.

    Sources: RFC 9110 section 7.6.1
    """
    return conclude(front.hint_is_true(front_idle.facts))


def check_race_is_contained(target: Target, race: Race | NotMeasured) -> Finding:
    """One lost race does not take servers out for everyone.

    Load balancers count a lost connection against the server. nginx with two servers and its defaults answers 502 to
    every request for ten seconds after one volley, GETs included: what is felt is an outage.

    Measured: after a volley with losses (--induce), single GETs on new connections until three in a row pass.

    Remedy: remove the race; until then relax passive health checks (max_fails=0 in nginx, consecutive5xxErrors in
    Istio).

    Sources: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#max_fails
    """
    return conclude(contained.race_is_contained(target, race))
