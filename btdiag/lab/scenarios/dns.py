"""Names that do not resolve, resolve to nowhere, or resolve otherwise for others."""

from btdiag.lab.faults.names import DnsAnswers, Tells
from btdiag.lab.scenario import BEYOND_DNS, BEYOND_TCP, PAST_FRONT, Scenario

NXDOMAIN = Scenario(
    name="dns-nxdomain",
    summary="The name does not exist.",
    faults=(DnsAnswers(rcode="NXDOMAIN"),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

SERVFAIL = Scenario(
    name="dns-servfail",
    summary="The name servers fail on the name: its DNSSEC signatures are bogus.",
    faults=(DnsAnswers(rcode="SERVFAIL", extended_error=6),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

REFUSED = Scenario(
    name="dns-refused",
    summary="The name servers refuse to answer this client.",
    faults=(DnsAnswers(rcode="REFUSED"),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

TIMEOUT = Scenario(
    name="dns-timeout",
    summary="The name servers do not answer.",
    faults=(DnsAnswers(silent=True),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

DANGLING_CNAME = Scenario(
    name="dns-dangling-cname",
    summary="The name is an alias of a load balancer that is gone.",
    faults=(DnsAnswers(chain=("lb-gone.eu.elb.lab.example",), dangling=True),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

AAAA_DENIED = Scenario(
    name="dns-aaaa-denied",
    summary="The name has IPv4 addresses, and the server says to AAAA questions that the name does not exist.",
    faults=(DnsAnswers(rcode6="NXDOMAIN"),),
    warns=("clients.resolve-the-name",),
)

AAAA_SERVFAIL = Scenario(
    name="dns-aaaa-servfail",
    summary="The name has IPv4 addresses, and the server fails on AAAA questions.",
    faults=(DnsAnswers(rcode6="SERVFAIL"),),
    warns=("dns.resolves",),
    skips=("clients.resolve-the-name",),
)

IPV4_ALONE = Scenario(
    name="dns-ipv4-alone",
    summary="The name has IPv4 addresses alone, and the server says so as it should.",
    faults=(DnsAnswers(families=(4,)),),
)

NO_ADDRESS = Scenario(
    name="dns-no-address",
    summary="The name exists, without an A or AAAA record.",
    faults=(DnsAnswers(addresses=()),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

TRUNCATED = Scenario(
    name="dns-truncated",
    summary="Answers over UDP are cut off; over TCP they are whole.",
    faults=(DnsAnswers(truncates=True),),
)

UDP_FILTERED = Scenario(
    name="dns-udp-filtered",
    summary="The name servers answer over TCP alone, and programs ask over UDP.",
    faults=(DnsAnswers(udp=False),),
    fails=("dns.resolves",),
    skips=BEYOND_DNS,
    passes=PAST_FRONT,
)

EDNS_LOST = Scenario(
    name="dns-edns-lost",
    summary="Queries with EDNS are lost on the way; those of C libraries have none and are answered.",
    faults=(DnsAnswers(edns=False, tcp=False),),
)

SLOW = Scenario(
    name="dns-slow",
    summary="The name servers take 0.3 s for an answer, which is slow and not broken.",
    faults=(DnsAnswers(delay=0.3),),
)

RESOLVERS_DISAGREE = Scenario(
    name="dns-resolvers-disagree",
    summary="This machine's resolver knows the name, the other one does not.",
    faults=(DnsAnswers(server="nameserver", rcode="NXDOMAIN"),),
    warns=("dns.resolvers-agree",),
)

SPLIT_HORIZON = Scenario(
    name="dns-split-horizon",
    summary="The name has a private and a public address at once.",
    faults=(
        DnsAnswers(addresses=("127.0.0.2", "127.0.0.3")),
        Tells("address_spaces", [["127.0.0.2/32", "local"], ["127.0.0.3/32", "public"]]),
    ),
    warns=("dns.addresses-share-a-space", "lna.address-space-is-stable", "lna.no-prompt-needed"),
)

TWO_FACES = Scenario(
    name="dns-two-faces",
    summary="This machine's resolver gives a private address, the other one a public one.",
    faults=(
        DnsAnswers(server="system", addresses=("127.0.0.2",)),
        DnsAnswers(server="nameserver", addresses=("127.0.0.3",)),
        Tells("address_spaces", [["127.0.0.2/32", "local"], ["127.0.0.3/32", "public"]]),
    ),
    warns=("dns.resolvers-agree", "lna.address-space-is-stable", "lna.no-prompt-needed"),
)

SINKHOLE = Scenario(
    name="dns-sinkhole",
    summary="A DNS filter answers 0.0.0.0 and :: for the name.",
    faults=(DnsAnswers(addresses=("0.0.0.0", "::")),),
    fails=("dns.addresses-are-usable",),
    skips=("clients.take-the-same-way", *BEYOND_TCP),
    passes=PAST_FRONT,
)
