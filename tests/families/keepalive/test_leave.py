"""Who ends an idle connection: the end of TLS, which the server says goodbye with, is told from a cut in between."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from btdiag.core.finding import HopName, Owner, Verdict
from btdiag.core.target import Target, Way
from btdiag.families.keepalive.facts import Fate, FrontIdle, HeldConnection
from btdiag.families.keepalive.judge.front import front_idle_suffices
from btdiag.families.keepalive.probe.leave import leave, says_goodbye
from btdiag.net.timed import TimedConnection
from btdiag.net.wire import Wire
from tests.support.serving import Handler, route_to, serving

HOST = "api.example"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def until_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that answers until it is asked to close, or for a fifth of a second."""
    with contextlib.suppress(TimeoutError):
        while head := await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 0.2):
            writer.write(ANSWER)
            if b"connection: close" in head.lower():
                return


def cutting(behind: int, after: float) -> Handler:
    """A relay that ends both sides when nothing came back for so long."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)

        async def upwards() -> None:
            while piece := await reader.read(65536):
                far_writer.write(piece)

        task = asyncio.create_task(upwards())
        try:
            while piece := await asyncio.wait_for(far_reader.read(65536), after):
                writer.write(piece)
        except TimeoutError:
            pass
        finally:
            task.cancel()
            far_writer.close()

    return relay


def met(folder: Path, after: float) -> tuple[HeldConnection | None, bool | None]:
    """How an idle connection through the relay ended, and one that was asked to close."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))

    async def run() -> tuple[HeldConnection | None, bool | None]:
        async with serving(until_close, context=context) as behind, serving(cutting(behind, after)) as port:
            url = f"https://{HOST}:{port}"
            target = Target(url=url, scheme="https", host=HOST, port=port, ca_file=folder / "ca.pem")
            wire, way = Wire(target, user_agent="btdiag/test"), Way(route=route_to(port))
            connection = TimedConnection(await wire.dial_url(way, url))
            connection.send("GET", wire.prepared(connection.stream, "GET", f"{url}/"))
            await connection.answer(2.0)
            await asyncio.wait({connection.gone}, timeout=2.0)
            held = leave(connection)
            await connection.close()
            return held, await says_goodbye(wire, way, target)

    return asyncio.run(run())


def test_a_server_that_closes_ends_tls_first(tmp_path: Path) -> None:
    held, asked = met(tmp_path, after=1.0)
    assert held is not None
    assert (held.fate, held.goodbye, asked) == (Fate.FIN, True, True)


def test_what_cuts_in_between_does_not(tmp_path: Path) -> None:
    held, asked = met(tmp_path, after=0.1)
    assert held is not None
    assert (held.goodbye, asked) == (False, True)


def test_where_nothing_connects_no_end_is_seen() -> None:
    target = Target(url=f"https://{HOST}:9", scheme="https", host=HOST, port=9)
    way = Way(route=route_to(9))
    assert asyncio.run(says_goodbye(Wire(target, user_agent="btdiag/test"), way, target)) is None


CUT = FrontIdle(
    label="proxy proxy.example:3128",
    waited_s=5.0,
    keeps_alive=True,
    announced=False,
    held=(HeldConnection(fate=Fate.FIN, age_s=1.5, goodbye=False),),
    says_goodbye=True,
)


@pytest.mark.parametrize(
    ("seen", "hop"),
    [
        (CUT, HopName.PROXY),
        (replace(CUT, says_goodbye=False), HopName.LOAD_BALANCER),
        (replace(CUT, says_goodbye=None), HopName.LOAD_BALANCER),
        (replace(CUT, held=(replace(CUT.held[0], goodbye=True),)), HopName.LOAD_BALANCER),
    ],
)
def test_the_proxy_is_blamed_for_what_was_seen_to_be_its_doing(seen: FrontIdle, hop: HopName) -> None:
    finding = front_idle_suffices({"a": seen})
    assert (finding.verdict, finding.hop) == (Verdict.WARN, hop)
    assert (finding.owner == Owner.PROXY) is (hop is HopName.PROXY)
    assert ("The proxy closes" in finding.answer) is (hop is HopName.PROXY)
