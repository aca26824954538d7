"""What is read of this machine, and the few connections, against servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from OpenSSL import SSL

from btdiag.core.client_kinds import ClientKind
from btdiag.core.handshake import Connection
from btdiag.core.measurement import Blocked, NotAsked, PerAddress, Unknown
from btdiag.core.proxy_rules import ValueFault
from btdiag.core.stores import StoreTrial
from btdiag.core.target import Proxy, Target
from btdiag.families.clients.facts import ChainTrials, ClientWays, FileState, LargeHello, Surroundings
from btdiag.families.clients.probe.handshakes import HELLO_SIZE, chain_trials, large_hello
from btdiag.families.clients.probe.surroundings import environment_of, surroundings
from btdiag.families.clients.probe.ways import client_ways
from btdiag.families.connection.probe.connect import reach
from btdiag.net.hello import answers_hello, client_hello
from btdiag.net.stores import Stores
from btdiag.net.wire import Wire
from tests.families.clients.authorities import Chain, chain
from tests.support.serving import Handler, resetting, route_to, saying, serving

HOST = "api.corp.test"
OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def target(variables: Mapping[str, str] | None = None, port: int = 443, **more: Any) -> Target:
    url = f"https://{HOST}" if port == 443 else f"https://{HOST}:{port}"
    told = tuple((variables or {}).items())
    return Target(url=url, scheme="https", host=HOST, port=port, variables=told, **more)


def seen(variables: Mapping[str, str]) -> Surroundings:
    return asyncio.run(surroundings(target(variables)))


def test_nothing_is_set() -> None:
    assert seen({}) == Surroundings()
    assert environment_of(replace(target(), variables=None)) is os.environ


def test_files_that_variables_name(tmp_path: Path) -> None:
    whole = chain(HOST).root_file(tmp_path)
    (tmp_path / "empty.pem").write_text("# nothing yet\n")
    (tmp_path / "secret.pem").write_text("-----BEGIN CERTIFICATE-----")
    variables = {
        "REQUESTS_CA_BUNDLE": str(tmp_path / "gone.pem"),
        "CURL_CA_BUNDLE": str(tmp_path / "empty.pem"),
        "SSL_CERT_FILE": str(whole),
        "SSL_CERT_DIR": f"{tmp_path}/none{os.pathsep}{tmp_path}",
        "NODE_EXTRA_CA_CERTS": "\0",
    }
    states = {file.variable: file.state for file in seen(variables).files}
    assert states == {
        "REQUESTS_CA_BUNDLE": FileState.MISSING,
        "CURL_CA_BUNDLE": FileState.EMPTY,
        "SSL_CERT_FILE": FileState.SOUND,
        "SSL_CERT_DIR": FileState.SOUND,
        "NODE_EXTRA_CA_CERTS": FileState.MISSING,
    }
    assert seen({"SSL_CERT_DIR": str(tmp_path / "none")}).files[0].state is FileState.MISSING


def test_proxy_variables_as_each_client_reads_them() -> None:
    found = seen({"HTTPS_PROXY": '"http://me:secret@proxy.test:3128"', "NO_PROXY": "*.corp.test", "HTTP_PROXY": "x"})
    assert found.variables == ("HTTPS_PROXY",)
    by = {one.kind: one for one in found.readings}
    assert by[ClientKind.CURL].proxy == "http://proxy.test:3128"
    assert by[ClientKind.CURL].fault is ValueFault.QUOTED
    assert by[ClientKind.GO].reading.exempted_by == "*.corp.test"
    assert "secret" not in repr(found)


@pytest.mark.parametrize("value", ["http://me:se#cret@proxy.test:3128", "http://me:se/cret@proxy.test", "secret"])
def test_of_a_value_that_is_no_url_nothing_is_kept(value: str) -> None:
    assert "cret" not in repr([one.proxy for one in seen({"HTTPS_PROXY": value}).readings if "@" in value])


def test_a_login_in_netrc(tmp_path: Path) -> None:
    file = tmp_path / ".netrc"
    file.write_text(f"machine {HOST} login me password secret\n")
    file.chmod(0o600)
    assert seen({"HOME": str(tmp_path)}).netrc == str(file)
    assert seen({"NETRC": str(file)}).netrc == str(file)
    assert seen({"NETRC": str(tmp_path / "none"), "HOME": str(tmp_path)}).netrc == ""
    assert "secret" not in repr(seen({"HOME": str(tmp_path)}))
    file.write_text("machine other.test login me password secret\n")
    assert seen({"HOME": str(tmp_path)}).netrc == ""
    file.write_text("this is none\n")
    assert seen({"HOME": str(tmp_path)}).netrc == ""
    assert seen({"NODE_TLS_REJECT_UNAUTHORIZED": "0"}).unverified


def ways_of(variables: Mapping[str, str], handler: Handler, **more: Any) -> ClientWays:
    async def run() -> ClientWays:
        async with serving(handler) as port:
            there = target({name: value.format(port=port) for name, value in variables.items()}, port, **more)
            wire = Wire(there, user_agent="btdiag/test")
            return await client_ways(await surroundings(there), wire, there)

    return asyncio.run(run())


def test_ways_that_this_run_does_not_take() -> None:
    refusing = saying(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    found = ways_of({"HTTPS_PROXY": "http://me:pw@127.0.0.1:{port}"}, refusing)
    assert found.own == ""
    (trial,) = found.trials
    assert trial.proxy.startswith("http://127.0.0.1:")
    assert not trial.works
    assert trial.connection is not None
    assert trial.connection.proxy_reply is not None
    assert "pw" not in repr(trial.proxy)


def test_the_direct_way_beside_a_proxy() -> None:
    proxied = {"proxy": Proxy(url="http://127.0.0.1:9", source="HTTPS_PROXY")}
    variables = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    found = ways_of(variables, resetting, resolve=("127.0.0.1",), **proxied)
    assert [trial.proxy for trial in found.trials] == [""]
    assert found.trials[0].connection is not None
    assert ways_of({}, resetting).trials == ()
    unnamed = ways_of(variables, resetting, **proxied, resolvers=())
    assert not unnamed.trials[0].works


async def measured(there: Target, port: int) -> tuple[PerAddress[Connection], Wire]:
    wire = Wire(there, user_agent="btdiag/test")
    return PerAddress({"127.0.0.1": await reach(route_to(port), wire, there)}), wire


def trials_of(
    folder: Path,
    variables: Mapping[str, str],
    *,
    given: bool = True,
    sdks: tuple[tuple[str, str], ...] = (),
    made: Chain | None = None,
) -> ChainTrials:
    made = made or chain(HOST)
    root = made.root_file(folder)

    async def run() -> ChainTrials:
        async with serving(OK, context=made.server(folder)) as port:
            told = {name: value.format(root=root) for name, value in variables.items()}
            there = target(told, port, ca_file=root if given else None, sdks=sdks)
            connections, wire = await measured(there, port)
            return await chain_trials((route_to(port),), connections, wire, there)

    return asyncio.run(run())


def test_given_a_ca_every_program_is_taken_to_have_it(tmp_path: Path) -> None:
    found = trials_of(tmp_path, {})
    assert found.assumed.endswith("root.pem")
    assert [(one.accepts, len(one.users), one.strict) for one in found.stores] == [(True, 5, "")]
    other = chain("other.test").root_file(tmp_path, "other.pem")
    unnamed = trials_of(tmp_path, {"REQUESTS_CA_BUNDLE": str(other)})
    assert [one.accepts for one in unnamed.stores] == [True]
    in_use = trials_of(tmp_path, {"REQUESTS_CA_BUNDLE": str(other)}, sdks=(("python", "0.48.1"),))
    assert {one.users: one.accepts for one in in_use.stores if ClientKind.PYTHON in one.users} == {
        (ClientKind.PYTHON,): False
    }


def test_a_ca_by_variable_is_given_to_those_alone_who_read_it(tmp_path: Path) -> None:
    found = trials_of(tmp_path, {"SSL_CERT_FILE": "{root}", "SSL_CERT_DIR": "", "PATH": ""})
    by = {user: one.accepts for one in found.stores for user in one.users}
    assert by == {ClientKind.CURL: True, ClientKind.GO: True, ClientKind.HTTPX: True, ClientKind.PYTHON: False}
    assert found.assumed == ""


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (chain(HOST, identifier=False), "Missing Authority Key Identifier"),
        (chain(HOST, critical=False), "Basic Constraints of CA cert not marked critical"),
    ],
)
def test_strict_rules(tmp_path: Path, made: Chain, words: str) -> None:
    (store,) = trials_of(tmp_path, {}, made=made).stores
    assert store.accepts is True
    assert store.strict == words


def test_what_is_not_trusted_here_is_no_question(tmp_path: Path) -> None:
    with pytest.raises(Blocked) as caught:
        trials_of(tmp_path, {}, given=False)
    assert caught.value.by == "connection.tls-is-trusted"


def test_what_leaves_nothing_to_ask() -> None:
    there = replace(target(), scheme="http")
    wire = Wire(there, user_agent="btdiag/test")
    with pytest.raises(NotAsked):
        asyncio.run(large_hello((), PerAddress({}), wire, there))
    with pytest.raises(NotAsked):
        asyncio.run(large_hello((), PerAddress({}), wire, target()))


def test_a_handshake_that_is_not_repeated_is_unknown(tmp_path: Path) -> None:
    async def run() -> None:
        there = target()
        made = chain(HOST)
        async with serving(OK, context=made.server(tmp_path)) as port:
            there = target({}, port, ca_file=made.root_file(tmp_path))
            connections, wire = await measured(there, port)
        await chain_trials((route_to(port),), connections, wire, there)

    with pytest.raises(Unknown):
        asyncio.run(run())


def dead(**changes: Any) -> PerAddress[Connection]:
    there = target({}, 9)
    wire = Wire(there, user_agent="btdiag/test")
    return PerAddress({"127.0.0.1": replace(asyncio.run(reach(route_to(9), wire, there)), **changes)})


def test_where_nothing_connects_that_is_the_cause() -> None:
    there = target({}, 9)
    with pytest.raises(Blocked) as caught:
        asyncio.run(chain_trials((route_to(9),), dead(), Wire(there, user_agent="btdiag/test"), there))
    assert caught.value.by == "connection.tcp-connects"


def boxed(behind: int, limit: int) -> Handler:
    """A box before a TLS server that resets ClientHellos above `limit` bytes."""

    async def box(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(5)
        record = head + await reader.readexactly(int.from_bytes(head[3:5], "big"))
        if len(record) > limit:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)
        far_writer.write(record)
        try:
            await asyncio.gather(copied(reader, far_writer), copied(far_reader, writer))
        finally:
            far_writer.close()

    return box


def hello_to(tmp_path: Path, limit: int, *, dead_later: bool = False) -> LargeHello:
    """What is measured of a TLS server behind such a box."""
    made = chain(HOST)

    async def run() -> LargeHello:
        async with serving(OK, context=made.server(tmp_path)) as behind:
            async with serving(boxed(behind, limit)) as port:
                there = target({}, port, ca_file=made.root_file(tmp_path))
                connections, wire = await measured(there, port)
                if not dead_later:
                    return await large_hello((route_to(port),), connections, wire, there)
            return await large_hello((route_to(port),), connections, wire, there)

    return asyncio.run(run())


async def copied(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(65536):
        sink.write(piece)
    sink.close()


def test_a_large_client_hello_is_answered(tmp_path: Path) -> None:
    found = hello_to(tmp_path, 16_384)
    assert [(one.size, one.answered) for one in found.large] == [(HELLO_SIZE, True)]
    assert found.small == ()


def test_a_large_one_is_not_and_small_ones_are(tmp_path: Path) -> None:
    found = hello_to(tmp_path, 1_460)
    assert [one.answered for one in found.large] == [False, False]
    assert [one.answered for one in found.small] == [True, True]
    assert found.small[0].size < 600


def test_where_nothing_is_answered_any_more_size_is_not_blamed(tmp_path: Path) -> None:
    found = hello_to(tmp_path, 16_384, dead_later=True)
    assert not any(one.answered for one in (*found.large, *found.small))
    assert "no connection" in found.large[0].detail


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (bytes((21, 3, 3, 0, 2, 2, 40)), "TLS alert 40 (fatal)"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no TLS"),
    ],
)
def test_what_comes_instead_is_told(answer: bytes, words: str, tmp_path: Path) -> None:
    sound = asyncio.run(_sound(tmp_path))

    async def run() -> LargeHello:
        async with serving(saying(answer, head=False, pause=0.2)) as port:
            there = target({}, port)
            return await large_hello((route_to(port),), sound, Wire(there, user_agent="btdiag/test"), there)

    found = asyncio.run(run())
    assert not found.large[0].answered
    assert words in found.large[0].detail


async def _sound(folder: Path) -> PerAddress[Connection]:
    made = chain(HOST)
    async with serving(OK, context=made.server(folder)) as port:
        there = target({}, port, ca_file=made.root_file(folder))
        return (await measured(there, port))[0]


def test_padding_makes_a_client_hello_of_that_very_size() -> None:
    small = client_hello(HOST, 0)
    assert [len(client_hello(HOST, size)) for size in (600, 1_800, 9_000)] == [600, 1_800, 9_000]
    assert len(client_hello("a" * 60 + ".test", 10)) > 10
    assert len(small) < 600


def stores(environment: Mapping[str, str], ders: tuple[bytes, ...], assumed: Path | None = None) -> list[StoreTrial]:
    return list(asyncio.run(Stores(environment, assumed, tuple(ClientKind)).judge(ders)))


def test_every_variable_has_its_readers(tmp_path: Path) -> None:
    made = chain(HOST)
    root = str(made.root_file(tmp_path))
    both = {"REQUESTS_CA_BUNDLE": root, "CURL_CA_BUNDLE": root, "SSL_CERT_DIR": str(tmp_path), "PATH": ""}
    by = {user: one.store for one in stores(both, made.ders) for user in one.users}
    assert by == {
        ClientKind.PYTHON: "Python requests here",
        ClientKind.CURL: "curl here",
        ClientKind.GO: "the system's store",
        ClientKind.HTTPX: "Python httpx here",
    }
    found = stores({**both, "SSL_CERT_FILE": root}, made.ders, Path(root))
    assert [one.accepts for one in found] == [True, True, True, True]
    assert found[-1].users == (ClientKind.NODE, ClientKind.GO)


def test_what_cannot_be_loaded_is_not_told(tmp_path: Path) -> None:
    made = chain(HOST)
    (tmp_path / "empty.pem").write_text("")
    for path, words in ((tmp_path / "empty.pem", "no certificate in it"), (tmp_path / "none.pem", "no such file")):
        (store, _) = stores({"REQUESTS_CA_BUNDLE": str(path)}, made.ders, made.root_file(tmp_path))
        assert store.accepts is None
        assert words in store.detail
    (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (torn, _) = stores({"REQUESTS_CA_BUNDLE": str(tmp_path / "torn.pem")}, made.ders, made.root_file(tmp_path))
    assert torn.accepts is None
    elsewhere = {"SSL_CERT_FILE": "/none", "SSL_CERT_DIR": "/none", "PATH": ""}
    system = next(one for one in stores(elsewhere, made.ders) if one.store == "the system's store")
    assert "keeps its CAs elsewhere" in system.detail


def post_quantum_hello() -> bytes:
    """What OpenSSL from 3.5 on sends by itself: with a key of X25519MLKEM768."""
    connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    connection.set_tlsext_host_name(HOST.encode())
    connection.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(65536)


def test_a_padded_hello_meets_what_a_post_quantum_one_meets(tmp_path: Path) -> None:
    """By a box that resets what does not fit into one packet, and by a TLS server."""
    made, real = chain(HOST), post_quantum_hello()
    if SSL.OPENSSL_VERSION_NUMBER < 0x30500000:
        pytest.skip("cryptography is built with an OpenSSL before 3.5, which sends no large ClientHello")
    assert len(real) > 1_460

    async def answered(hello: bytes, limit: int) -> bool:
        async with serving(OK, context=made.server(tmp_path)) as behind, serving(boxed(behind, limit)) as port:
            stream = await Wire(target({}, port), user_agent="btdiag/test").dial(route_to(port), tls=False)
            try:
                return (await answers_hello(stream, hello))[0]
            except (OSError, EOFError):
                return False
            finally:
                await stream.close()

    for limit, through in ((1_460, False), (16_384, True)):
        for hello in (real, client_hello(HOST, HELLO_SIZE)):
            assert asyncio.run(answered(hello, limit)) is through
