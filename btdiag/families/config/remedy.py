"""What to do where a file says one thing and the wire another: it was lost, or somebody else answers."""

from __future__ import annotations

from btdiag.core.finding import Remedy, Snippet

HELM = "https://github.com/braintrustdata/helm (values.yaml)"
ALB = "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/"
NGINX = "https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/"
FETCH = "https://fetch.spec.whatwg.org/#http-cors-protocol"


def roll_out(declared: str, seen: str) -> Remedy:
    """The image that runs is not the one that the file names."""
    return Remedy(
        text=f"Roll the file out, or correct it: it names {declared}, and {seen} answers. Where it was rolled out, "
        "look for pods that did not become ready, or for another deployment behind this host.",
        action=f"Roll out {declared}, or name the version that is meant to run in the file",
        snippets=(
            Snippet(product="Kubernetes", code="kubectl rollout status deploy/braintrust-api"),
            Snippet(product="Helm", code="helm get values RELEASE -a | grep -A3 image"),
        ),
    )


def align_tls(where: str) -> Remedy:
    """The listener takes other TLS versions than the file says."""
    return Remedy(
        text=f"Look at which listener answers at this host: the policy in {where} is not rolled out, or another load "
        "balancer, a CDN or a firewall in front ends TLS with a policy of its own.",
        action="Find the listener that ends TLS at this host, and set the policy there",
        snippets=(
            Snippet(
                product="AWS ALB",
                code="aws elbv2 describe-listeners --load-balancer-arn ARN --query 'Listeners[].SslPolicy'",
            ),
        ),
    )


def allow_origin(origin: str) -> Remedy:
    """The API does not know the origin that the file allows."""
    return Remedy(
        text=f"Set WHITELISTED_ORIGINS with {origin} on the API's own container (api.extraEnvVars in Helm, "
        "whitelisted_origins in Terraform), and restart it; where it is there, look for a proxy that answers "
        "preflights in the API's place.",
        action="Look for WHITELISTED_ORIGINS in the API's running container, and restart it with the value",
        snippets=(
            Snippet(product="Kubernetes", code="kubectl exec deploy/braintrust-api -- printenv WHITELISTED_ORIGINS"),
            Snippet(
                product="Helm", code=f'api:\n  extraEnvVars:\n    - name: WHITELISTED_ORIGINS\n      value: "{origin}"'
            ),
        ),
    )


def find_balancer(where: str) -> Remedy:
    """Idle connections end at another age than the file says."""
    return Remedy(
        text=f"Look at which load balancer answers: the timeout in {where} is not rolled out, or a CDN, another load "
        "balancer or a firewall in front closes connections by a timer of its own. Keep-alive rules hold for the one "
        "that talks to the API.",
        action="Find out which load balancer closes the connections, and whether the file was rolled out to it",
        snippets=(
            Snippet(product="AWS ALB", code="aws elbv2 describe-load-balancer-attributes --load-balancer-arn ARN"),
        ),
    )


def find_limit(where: str) -> Remedy:
    """Bodies are refused at another size than the file says."""
    return Remedy(
        text=f"Look at which hop answers 413: the limit in {where} is not rolled out, is of another route, or a CDN, "
        "a firewall or another load balancer in front has a limit of its own.",
        action="Find the hop that refuses bodies, and set the limit there",
        snippets=(
            Snippet(
                product="nginx ingress",
                code="kubectl get ingress -o yaml | grep -e proxy-body-size -e ingressClassName",
            ),
        ),
    )


def find_timeout(where: str) -> Remedy:
    """A silent answer is given up at another age than the file says."""
    return Remedy(
        text=f"Look at which hop gives up: every hop on the way has a timeout for answers of its own, and the shortest "
        f"one counts. Where it is the one in {where}, it was not rolled out.",
        action="Find the hop with the shortest timeout for answers, and set it there",
        snippets=(
            Snippet(
                product="nginx ingress",
                code="kubectl get ingress -o yaml | grep -e proxy-read-timeout -e ingressClassName",
            ),
        ),
    )


def name_host(hosts: str) -> Remedy:
    """The tested host is none of those that the files serve."""
    return Remedy(
        text=f"Test the host that users call: the files serve {hosts}. Where the tested host is right, the file is "
        "another deployment's, or a CDN in front has a name of its own: then give that deployment's files.",
        action="Give the files of the deployment behind this host, or test the host that they name",
    )


def renew_ca(where: str, issuer: str) -> Remedy:
    """The declared CA is not the one behind the certificate that is presented."""
    return Remedy(
        text=f"Put {issuer} into the bundle of {where}, beside the public roots, and roll it out with a restart of the "
        "pods that read it; or serve a certificate of the declared CA, where another load balancer, an older "
        "certificate or TLS inspection answers in its place.",
        action=f"Put {issuer} into the declared bundle, or serve a certificate of the declared CA",
        snippets=(
            Snippet(
                product="OpenSSL", code="openssl s_client -connect HOST:443 -showcerts </dev/null -CAfile ca-bundle.pem"
            ),
        ),
    )


def find_replicas(where: str) -> Remedy:
    """Another number of replicas answers than the file says."""
    return Remedy(
        text=f"Look at which pods are ready behind this host: the number in {where} is not rolled out, some pods do "
        "not take requests, or those of another deployment do.",
        action="Compare the ready pods of the API with the number in the file",
        snippets=(
            Snippet(product="Kubernetes", code="kubectl get deploy/braintrust-api; kubectl get endpointslices -o wide"),
        ),
    )
