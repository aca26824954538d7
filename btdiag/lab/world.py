"""Builds the stage of a plan: binds every hop on loopback, connects them, and tells the target's data."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType

from btdiag.lab import brainstore
from btdiag.lab.backend import ApiServer, api_error
from btdiag.lab.browser_profile import write_profile
from btdiag.lab.client import Relay
from btdiag.lab.control_plane import LabControlPlane
from btdiag.lab.crashing import Crashing
from btdiag.lab.dns import DnsServer, Zone
from btdiag.lab.doors import broken_tls, filtering_names, refusing_large_hellos
from btdiag.lab.http import Response
from btdiag.lab.link import Link
from btdiag.lab.loadbalancer import LoadBalancer
from btdiag.lab.net import Listeners, Serve, bound, loopback_addresses, on_one_port
from btdiag.lab.plan import APP_HOST, HOST, BrainstoreRole, LabHop, LabPlan, LabResolver, Tls
from btdiag.lab.pool import Pool
from btdiag.lab.proxy import ForwardProxy
from btdiag.lab.rules import Memory
from btdiag.lab.server import Handler, HttpServer
from btdiag.lab.styles import vendor_page
from btdiag.lab.target import LOCAL, Files, Ports, commands, describe
from btdiag.lab.tls import Certificates


class World:
    """The running stage: `async with World(plan, folder) as target` serves until the block ends.

    `folder` takes certificates and keys; `port` fixes the load balancer's https port.
    """

    def __init__(self, plan: LabPlan, folder: Path, port: int = 0) -> None:
        self._plan = plan
        self._folder = folder
        self._port = port
        self._addresses = loopback_addresses()
        self._certificates = Certificates(folder)
        self._listeners = Listeners()
        self._pools: list[Pool] = []
        self._crashing: list[Crashing] = []

    async def __aenter__(self) -> dict[str, object]:
        try:
            return await self._staged()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End every server and connection."""
        for crashing in self._crashing:
            await crashing.close()
        for pool in self._pools:
            pool.close()
        await self._listeners.close()

    async def _staged(self) -> dict[str, object]:
        https, fronts = on_one_port([(address, socket.SOCK_STREAM) for address in self._addresses], self._port)
        plain, plains = on_one_port([(address, socket.SOCK_STREAM) for address in self._addresses])
        hops = {
            hop: bound(LOCAL)
            for hop in (LabHop.BACKEND, LabHop.BRAINSTORE, LabHop.CONTROL_PLANE, LabHop.APP, LabHop.PROXY)
        }
        at = {hop: _port(sock) for hop, sock in hops.items()}
        self._listeners.keep(*fronts, *plains, *hops.values())
        await self._serve_backend(hops[LabHop.BACKEND], at[LabHop.CONTROL_PLANE])
        await self._serve_brainstore(hops[LabHop.BRAINSTORE])
        roles = [f"{one.role}=http://{LOCAL}:{await self._serve_role(one)}" for one in self._plan.brainstore_roles]
        control_plane = LabControlPlane(api_url=f"https://{HOST}:{https}")
        await self._serve_control_plane(hops[LabHop.CONTROL_PLANE], control_plane)
        await self._serve_app(hops[LabHop.APP], control_plane, at[LabHop.CONTROL_PLANE])
        await self._serve_proxy(hops[LabHop.PROXY])
        await self._serve_balancer(fronts, plains, await self._upstream_port(at[LabHop.BACKEND]), https)
        ports = Ports(
            https=https,
            plain=plain,
            backend=at[LabHop.BACKEND],
            brainstore=at[LabHop.BRAINSTORE],
            app=at[LabHop.APP],
            proxy=at[LabHop.PROXY],
            dns=tuple([await self._serve_dns(resolver) for resolver in self._plan.resolvers]),
        )
        return self._told(ports, roles)

    async def _serve_role(self, role: BrainstoreRole) -> int:
        sock = bound(LOCAL)
        self._listeners.keep(sock)
        server = self._server(LabHop.BRAINSTORE, brainstore.serving(role), api_error, idle=60.0)
        await self._open_unless(sock, server.serve(), down=role.down)
        return _port(sock)

    def _told(self, ports: Ports, roles: list[str]) -> dict[str, object]:
        certificate, key = self._certificates.client_files()
        netrc = self._folder / "netrc"
        if self._plan.told.variables:
            netrc.write_text(f"machine {HOST} login lab password lab-netrc-password\n", encoding="utf-8")
        files = Files(ca=self._certificates.ca_file(), client_cert=certificate, client_key=key, netrc=netrc)
        target = describe(self._plan, ports, files, self._addresses)
        if self._plan.told.decided is not None:
            target["browser_profile"] = str(write_profile(self._folder, self._plan.told.decided))
        if roles:
            target["brainstore"] = roles
        if self._plan.config:
            file = self._folder / "values.yaml"
            file.write_text(self._plan.config, encoding="utf-8")
            target["config"] = [str(file)]
        return {"target": target, "commands": commands(target, ports, self._addresses[0])}

    async def _serve_backend(self, sock: socket.socket, control_plane_port: int) -> None:
        plan = self._plan.backend
        relay = Relay(host=APP_HOST, port=control_plane_port, tls=self._certificates.client_context())
        server = self._server(
            LabHop.BACKEND,
            ApiServer(plan=plan, relay=relay).answer,
            api_error,
            idle=plan.keepalive + plan.grace,
            hint=f"timeout={int(plan.keepalive)}" if plan.hint else None,
        )
        if plan.restarts:
            crashing = Crashing(_port(sock), server.serve(), plan.restarts)
            sock.close()
            await crashing.start()
            self._crashing.append(crashing)
            return
        await self._open_unless(sock, server.serve(), down=plan.down)

    async def _serve_brainstore(self, sock: socket.socket) -> None:
        server = self._server(LabHop.BRAINSTORE, brainstore.answer, api_error, idle=60.0)
        await self._open_unless(sock, server.serve(), down=self._plan.brainstore_down)

    async def _serve_control_plane(self, sock: socket.socket, control_plane: LabControlPlane) -> None:
        server = self._server(LabHop.CONTROL_PLANE, control_plane.answer, api_error, idle=5.0)
        await self._listeners.listen(sock, server.serve(), self._certificates.context_for(APP_HOST))

    async def _serve_app(self, sock: socket.socket, control_plane: LabControlPlane, port: int) -> None:
        plan = self._plan.app
        match plan.door, plan.on_hello:
            case "refuses", _:
                pass  # bound and never listened to
            case "silent", _:
                self._listeners.stay_silent(sock)
            case _, "filters":
                await self._listeners.listen(sock, filtering_names(APP_HOST, LOCAL, port))
            case _, "resets" | "silent" as how:
                await self._listeners.listen(sock, broken_tls(how))
            case _:
                server = self._server(LabHop.APP, control_plane.answer, api_error, idle=5.0)
                await self._listeners.listen(sock, server.serve(), self._app_context())

    def _app_context(self) -> ssl.SSLContext:
        match self._plan.app.certificate:
            case "inspected":
                return self._certificates.context_for(APP_HOST, authority=self._certificates.inspection)
            case "wrong-name":
                return self._certificates.context_for("blockpage.lab.example")
            case _:
                return self._certificates.context_for(APP_HOST)

    async def _serve_proxy(self, sock: socket.socket) -> None:
        inspection = self._certificates.inspection
        proxy = ForwardProxy(
            plan=self._plan.proxy,
            names={HOST: self._addresses, **self._other_names()},
            impostor=partial(self._certificates.context_for, authority=inspection),
            verifying=self._certificates.client_context(),
        )
        await self._open_unless(sock, proxy.serve, down=self._plan.proxy.down)

    async def _upstream_port(self, backend_port: int) -> int:
        """Where the load balancer finds the backend: its port, one that is dead, or a link with a delay of its own."""
        plan = self._plan.balancer
        if plan.backend_down:
            sock = bound(LOCAL)
            self._listeners.keep(sock)
            return _port(sock)
        if plan.link_delay == 0 and plan.link_drops_idle_after is None:
            return backend_port
        sock = bound(LOCAL)
        link = Link(LOCAL, backend_port, delay=plan.link_delay, drops_idle_after=plan.link_drops_idle_after)
        await self._listeners.listen(sock, link.serve)
        return _port(sock)

    async def _serve_balancer(
        self, fronts: list[socket.socket], plains: list[socket.socket], upstream_port: int, https_port: int
    ) -> None:
        plan = self._plan.balancer
        pool = Pool(LOCAL, upstream_port, idle=plan.upstream_idle, order=plan.pool_order, size=plan.pool_size)
        self._pools.append(pool)
        balancer = LoadBalancer(plan=plan, pool=pool, https_port=https_port)
        server = replace(
            self._server(LabHop.BALANCER, balancer.answer, partial(vendor_page, plan.style), idle=plan.front_idle),
            forgets=plan.front_forgets,
            hangs_up=plan.front_hangs_up,
        )
        contexts: dict[Tls, ssl.SSLContext] = {}
        for address, front, plain in zip(self._addresses, fronts, plains, strict=True):
            await self._open_front(front, address, server, contexts)
            await self._open_plain(plain, server)

    async def _open_front(
        self, sock: socket.socket, address: str, server: HttpServer, contexts: dict[Tls, ssl.SSLContext]
    ) -> None:
        tls = self._plan.balancer.tls_for(address)
        match self._plan.balancer.door(address), tls.on_hello:
            case "refuses", _:
                pass  # bound and never listened to
            case "silent", _:
                self._listeners.stay_silent(sock)
            case _, "plain-http":
                await self._listeners.listen(sock, server.serve())
            case _, "resets" | "silent" as how:
                await self._listeners.listen(sock, broken_tls(how))
            case _, "resets-large":
                await self._open_filtered(sock, server, contexts.setdefault(tls, self._certificates.context(tls)))
            case _:
                context = contexts.setdefault(tls, self._certificates.context(tls))
                await self._listeners.listen(sock, server.serve(), context)

    async def _open_filtered(self, sock: socket.socket, server: HttpServer, context: ssl.SSLContext) -> None:
        """The TLS server at a port of its own, behind a box that takes no ClientHello of more than one packet."""
        behind = bound(LOCAL)
        await self._listeners.listen(behind, server.serve(), context)
        await self._listeners.listen(sock, refusing_large_hellos(LOCAL, _port(behind)))

    async def _open_plain(self, sock: socket.socket, server: HttpServer) -> None:
        match self._plan.balancer.plain:
            case "refuses":
                pass  # bound and never listened to
            case "tls":
                context = self._certificates.context(self._plan.balancer.tls)
                await self._listeners.listen(sock, server.serve(), context)
            case _:
                await self._listeners.listen(sock, server.serve(plain_port=True))

    async def _serve_dns(self, resolver: LabResolver) -> int:
        addresses = self._addresses if resolver.addresses is None else resolver.addresses
        server = DnsServer(Zone(resolver=resolver, addresses=addresses, others=self._names_in_dns()))
        port, (udp, tcp) = on_one_port([(LOCAL, socket.SOCK_DGRAM), (LOCAL, socket.SOCK_STREAM)])
        self._listeners.keep(udp, tcp)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: server, sock=udp)
        self._listeners.own(transport)
        await self._open_unless(tcp, server.serve, down=not resolver.tcp)
        return port

    async def _open_unless(self, sock: socket.socket, serve: Serve, *, down: bool) -> None:
        if not down:
            await self._listeners.listen(sock, serve)

    def _server(
        self,
        hop: LabHop,
        handler: Handler,
        error_page: Callable[[int], Response],
        *,
        idle: float,
        hint: str | None = None,
    ) -> HttpServer:
        rules = self._plan.rules_at(hop)
        return HttpServer(handler=handler, error_page=error_page, memory=Memory(), rules=rules, idle=idle, hint=hint)

    def _names_in_dns(self) -> dict[str, tuple[str, ...]]:
        """The other names as the DNS servers tell them."""
        told = {**self._other_names(), APP_HOST: self._plan.app.addresses}
        real = self._other_names()
        return {name: real[name] if known is None else known for name, known in told.items() if known != ()}

    @staticmethod
    def _other_names() -> dict[str, tuple[str, ...]]:
        return {APP_HOST: (LOCAL,), LOCAL: (LOCAL,)}


def _port(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port
