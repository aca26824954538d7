"""Data planes with nothing wrong: the twins that every faulty scenario is held against."""

from btdiag.lab.faults.connection import DemandsClientCertificate
from btdiag.lab.faults.names import DnsAnswers, ThroughProxy
from btdiag.lab.scenario import Scenario

HEALTHY = Scenario(name="healthy", summary="A sound data plane at addresses that count as public.")

HEALTHY_PROXY = Scenario(
    name="healthy-proxy",
    summary="The same, reached through a forward proxy that resolves names itself.",
    faults=(ThroughProxy(),),
)

CNAME_CHAIN = Scenario(
    name="dns-cname-chain",
    summary="The name is an alias of an alias of the load balancer, as clouds have it.",
    faults=(DnsAnswers(chain=("data-plane.lab.example", "lb-1234.eu.elb.lab.example")),),
)

CLIENT_CERTIFICATE_GIVEN = Scenario(
    name="tls-client-certificate-given",
    summary="The load balancer demands a client certificate, and the run has one.",
    faults=(DemandsClientCertificate(given=True),),
)
