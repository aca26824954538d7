"""Is what the files of --config declare in effect: each against what the wire shows, by file and line."""

from __future__ import annotations

from btdiag.core.exchange import Exchange
from btdiag.core.finding import Finding, conclude
from btdiag.core.handshake import TlsVersions
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.sender import sender
from btdiag.core.target import Target
from btdiag.families.config.facts import DeclaredTrust, OriginTrials, SeenReplicas
from btdiag.families.config.judge import api, front, limits, replicas, trusted
from btdiag.families.gateway.facts.requests import ProductRequests
from btdiag.families.gateway.facts.streams import StreamSilence
from btdiag.families.keepalive.facts import FrontIdle


def check_image_is_rolled_out(target: Target, version: PerAddress[Exchange] | NotMeasured) -> Finding:
    """The API runs the version that the files pin.

    Settings are chosen for a version. Where another one runs, some have no effect, and what is read about the version
    in the file is not true of what users meet.

    Measured: the tag of the API's image in the files of --config (api.image.tag, a rendered manifest, the module's
    version override) against GET /version on every address. A tag that is no release is not compared.

    Remedy: roll the file out, finish a roll-out that stands still, or correct the file.

    Sources: https://github.com/braintrustdata/helm (values.yaml)
    """
    return conclude(api.image_is_rolled_out(target, version))


def check_origins_are_allowed(target: Target, declared_origins: OriginTrials | NotMeasured) -> Finding:
    """The API allows the origins that the files name.

    Pages of an origin that the API does not know cannot read its answers. The variable that names them counts on the
    API's own container only, and only after a restart.

    Measured: for up to four origins of WHITELISTED_ORIGINS or whitelisted_origins in the files of --config a preflight,
    and one of the web app's own origin as the contrast: a refusal speaks of the setting where that one is allowed.

    Remedy: set WHITELISTED_ORIGINS on the API's own container and restart it.

    Sources: https://fetch.spec.whatwg.org/#http-cors-protocol; https://www.braintrust.dev/docs/admin/self-hosting
    """
    return conclude(api.origins_are_allowed(target, declared_origins))


def check_tls_minimum_is_effective(target: Target, tls_versions: TlsVersions | NotMeasured) -> Finding:
    """The load balancer takes the TLS versions that its files declare.

    A policy that is not in effect lets versions through that were meant to be refused, or turns clients away that were
    meant to be served; and it tells that another listener answers than the one that the file is about.

    Measured: the oldest version of the policy in the files of --config (ALB ssl-policy, ssl_policy of a listener,
    ssl-protocols of ingress-nginx, cloudfront_minimum_protocol_version, minProtocolVersion of Istio) against a
    handshake for each of TLS 1.0 to 1.3.

    Remedy: set the policy at the listener that answers.

    Sources: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html;
    https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/configmap/#ssl-protocols
    """
    return conclude(front.tls_minimum_is_effective(target, tls_versions))


def check_idle_timeout_is_effective(
    target: Target, front_idle: PerAddress[FrontIdle] | NotMeasured, version: PerAddress[Exchange] | NotMeasured
) -> Finding:
    """The load balancer keeps clients' idle connections as long as its files declare.

    Another age means that the value is not in effect, or that something else stands in front: then the order of idle
    timeouts that was reckoned from the file is not the one that counts.

    Measured: idle_timeout.timeout_seconds of an ALB in the files of --config, which counts towards clients and targets
    alike, against idle connections to every address, with two seconds of tolerance. Where a CDN stands in front, whose
    timer is the one that clients meet, it is not compared.

    Remedy: find out which load balancer closes the connections, and whether the file was rolled out to it.

    Sources: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html
    """
    answers = () if isinstance(version, NotMeasured) else version.facts.values()
    passed = {product for answer in answers for product in sender(answer).passed}
    return conclude(front.idle_timeout_is_effective(target, front_idle, passed))


def check_body_limit_is_effective(target: Target, product_requests: ProductRequests | NotMeasured) -> Finding:
    """The load balancer takes bodies as large as its files declare.

    A smaller limit than the one in the file refuses batches of logs with a 413, though the file says that they pass; a
    larger one tells that something else answers than the file is about.

    Measured: proxy-body-size of ingress-nginx (annotation or ConfigMap) in the files of --config, against the bodies of
    gateway.accepts-product-requests: one that is answered 413 below the limit, or that passes above it, warns.

    Remedy: find the hop that refuses bodies, and set the limit there.

    Sources: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#custom-max-body-size
    """
    return conclude(limits.body_limit_is_effective(target, product_requests))


def check_read_timeout_is_effective(target: Target, silence: StreamSilence | NotMeasured) -> Finding:
    """A slow answer is awaited as long as the files declare.

    The shortest timeout of all hops on the way counts. Where a hop gives up earlier than the file says, long functions
    end with a 504 at that age.

    Measured: proxy-read-timeout of ingress-nginx (annotation or ConfigMap) and cloudfront_origin_read_timeout in the
    files of --config, against the age at which GET /sse, silent, is given up or still awaited, with two seconds of
    tolerance. No longer wait than that of gateway.silent-answers-are-awaited is made for it.

    Remedy: find the hop with the shortest timeout for answers, and set it there.

    Sources: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#custom-timeouts
    """
    return conclude(limits.read_timeout_is_effective(target, silence))


def check_host_is_declared(target: Target) -> Finding:
    """The tested host is one that the files serve.

    Files of another deployment declare what is not in effect here, however right they are.

    Measured: the target's host name against the hosts of Ingress rules that lead to Braintrust, of the chart's
    virtualService and the module's custom_domain in the files of --config. Addresses, and names inside of a cluster,
    are not compared.

    Remedy: give the files of the deployment behind this host, or test the host that they name.

    Sources: https://kubernetes.io/docs/concepts/services-networking/ingress/
    """
    return conclude(front.host_is_declared(target))


def check_declared_ca_is_presented(target: Target, declared_trust: DeclaredTrust | NotMeasured) -> Finding:
    """The CA that the files declare verifies the certificate that the host presents.

    Pods that are given a CA of their own trust what it holds. Where the host presents a chain of another CA, or of one
    that was renewed in the meantime, they refuse it, though clients with other trust stores are served.

    Measured: the certificates in the Secret or ConfigMap of the files that api.customCA names (chart 6.11.0 and later),
    or that an Ingress names for its TLS (ca.crt), in a handshake that trusts them and nothing else. Names and dates are
    left to connection.tls-is-trusted.

    Remedy: put the CA into the bundle, or serve a certificate of the declared one.

    Sources: https://github.com/braintrustdata/helm (values.yaml); RFC 5280 section 6
    """
    return conclude(trusted.declared_ca_is_presented(target, declared_trust))


def check_declared_replicas_answer(target: Target, seen_replicas: SeenReplicas | NotMeasured) -> Finding:
    """As many replicas of the API answer as the files declare.

    Fewer carry a load that was planned for more, and one that is never met may not be ready; more are pods of an older
    roll-out, or of another deployment behind the same host.

    Measured: api.replicas, or the replicas of the Deployment braintrust-api, in the files of --config, against the
    header (X-Served-By, X-Pod-Name and their like) by which answers tell who gave them, in as many GET / as meet each
    replica with a chance of 99 %, 40 at most. Where answers do not tell, one request is
    made. One that answers everything decides nothing: a load balancer may keep a client with it.

    Remedy: look at the ready pods of the API, and finish the roll-out.

    Sources: https://github.com/braintrustdata/helm (values.yaml)
    """
    return conclude(replicas.declared_replicas_answer(target, seen_replicas))
