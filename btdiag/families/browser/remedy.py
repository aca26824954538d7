"""What to change where browsers refuse what programs take."""

from __future__ import annotations

from btdiag.core.finding import Remedy, Snippet

SERVE_HTTPS = Remedy(
    text="Serve it over https: bind a certificate to the load balancer's listener, and give the web app and the SDKs "
    "the https:// URL (Settings, API URL). On a workstation, http://localhost works without.",
    action="Bind a certificate to the listener, and name the https:// URL in the web app's settings",
    snippets=(
        Snippet(
            product="nginx",
            code="listen 443 ssl;\nssl_certificate /etc/nginx/tls.crt;\nssl_certificate_key /etc/nginx/tls.key;",
        ),
        Snippet(
            product="AWS ALB",
            code="aws elbv2 create-listener --load-balancer-arn ARN --protocol HTTPS --port 443 \\\n"
            "  --certificates CertificateArn=ARN --default-actions Type=forward,TargetGroupArn=ARN",
        ),
    ),
)

NEW_CERTIFICATE = Remedy(
    text="Have a new certificate issued for the host: a key of RSA 2048 or EC P-256, its name in subjectAltName, "
    "key usage digitalSignature (with keyEncipherment for RSA), extended key usage serverAuth, 398 days or less.",
    action="Issue a new certificate: RSA 2048 or EC P-256, name in subjectAltName, keyUsage digitalSignature, 398 days",
    snippets=(
        Snippet(
            product="openssl",
            code="openssl req -new -newkey rsa:2048 -nodes -keyout tls.key -out tls.csr -subj /CN=HOST \\\n"
            "  -addext subjectAltName=DNS:HOST -addext keyUsage=digitalSignature,keyEncipherment \\\n"
            "  -addext extendedKeyUsage=serverAuth",
        ),
        Snippet(
            product="cert-manager",
            code="privateKey: {algorithm: ECDSA, size: 256}\nusages: [digital signature, server auth]\n"
            "dnsNames: [HOST]",
        ),
    ),
)

MODERN_SUITES = Remedy(
    text="Offer TLS 1.3, or for TLS 1.2 the suites with ECDHE and GCM or ChaCha20, and put these first.",
    action="Offer TLS 1.3, or TLS 1.2 suites with ECDHE and GCM first, at what ends TLS",
    snippets=(
        Snippet(
            product="nginx",
            code="ssl_protocols TLSv1.2 TLSv1.3;\n"
            "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384;",
        ),
        Snippet(
            product="HAProxy",
            code="ssl-default-bind-options ssl-min-ver TLSv1.2\nssl-default-bind-ciphers ECDHE-ECDSA-AES128-GCM-SHA256:"
            "ECDHE-RSA-AES128-GCM-SHA256",
        ),
        Snippet(product="AWS ALB", code="ssl_policy = ELBSecurityPolicy-TLS13-1-2-2021-06"),
    ),
)


def another_port(port: int) -> Remedy:
    """Away from a port that browsers refuse."""
    return Remedy(
        text=f"Let the load balancer listen on 443, or on another port than {port} that browsers call, and change the "
        "URL in the web app's settings and in BRAINTRUST_API_URL.",
        action=f"Move the listener from port {port} to 443, and change the API URL in the web app's settings",
        snippets=(Snippet(product="nginx", code="listen 443 ssl;"), Snippet(product="HAProxy", code="bind :443 ssl")),
    )
