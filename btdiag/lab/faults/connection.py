"""Faults between TCP and TLS: at the doors of the load balancer's addresses, in its certificate and its handshakes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from btdiag.lab.plan import CertificateKind, Door, LabPlan

EVERY_ADDRESS = ("*",)


@dataclass(frozen=True, slots=True)
class Refuses:
    """These addresses of the load balancer refuse TCP connections, on the https and the http port."""

    addresses: tuple[str, ...] = EVERY_ADDRESS

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with closed doors."""
        return _with_doors(plan, self.addresses, "refuses")


@dataclass(frozen=True, slots=True)
class Silent:
    """These addresses of the load balancer do not answer a SYN."""

    addresses: tuple[str, ...] = EVERY_ADDRESS

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with silent doors."""
        return _with_doors(plan, self.addresses, "silent")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowsCertificate:
    """The certificate is of another kind than "valid", at all addresses or at these."""

    kind: CertificateKind
    addresses: tuple[str, ...] = EVERY_ADDRESS

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with that certificate."""
        return _with_tls(plan, self.addresses, certificate=self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class OffersTlsVersions:
    """Only these versions of TLS are spoken: "1.0" to "1.3"."""

    minimum: str
    maximum: str
    addresses: tuple[str, ...] = EVERY_ADDRESS

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with these versions."""
        return _with_tls(plan, self.addresses, minimum=self.minimum, maximum=self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandsClientCertificate:
    """The load balancer wants a client certificate; `given` says whether the run has one."""

    given: bool = False

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with mutual TLS."""
        demanding = _with_tls(plan, EVERY_ADDRESS, demands_certificate=True)
        return replace(demanding, told=replace(plan.told, shows_client_certificate=self.given))


@dataclass(frozen=True, slots=True, kw_only=True)
class BreaksHandshake:
    """After the ClientHello, or after a large one alone: a reset; silence; or plain HTTP on the TLS port."""

    how: Literal["resets", "silent", "plain-http", "resets-large"]
    addresses: tuple[str, ...] = EVERY_ADDRESS

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan without TLS."""
        return _with_tls(plan, self.addresses, on_hello=self.how)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainPort:
    """What the http:// port does instead of redirecting."""

    does: Literal["serves", "refuses", "tls"]

    def apply(self, plan: LabPlan) -> LabPlan:
        """The plan with that port."""
        return replace(plan, balancer=replace(plan.balancer, plain=self.does))


def _with_doors(plan: LabPlan, addresses: tuple[str, ...], door: Door) -> LabPlan:
    doors = (*plan.balancer.doors, *((address, door) for address in addresses))
    return replace(plan, balancer=replace(plan.balancer, doors=doors))


def _with_tls(plan: LabPlan, addresses: tuple[str, ...], **changes: Any) -> LabPlan:
    balancer = plan.balancer
    if addresses == EVERY_ADDRESS:
        return replace(plan, balancer=replace(balancer, tls=replace(balancer.tls, **changes)))
    changed = tuple((address, replace(balancer.tls_for(address), **changes)) for address in addresses)
    return replace(plan, balancer=replace(balancer, tls_at=(*balancer.tls_at, *changed)))
