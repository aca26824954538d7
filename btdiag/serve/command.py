"""`btdiag serve` from flags to a process that serves until it is asked to end, and what it prints for Prometheus."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from btdiag.config import UsageError
from btdiag.config.settings import KEEP_S
from btdiag.config.values import duration, printable
from btdiag.core.database import StorePlace
from btdiag.core.urls import bracketed
from btdiag.engine.interrupt import Interrupt
from btdiag.report.escape import plain
from btdiag.serve.modules import Modules, modules
from btdiag.serve.printed import printed

if TYPE_CHECKING:
    from btdiag.serve.engine import Engine
    from btdiag.serve.watch import Sweeper

MOST_WAITING = (
    200  # runs that requests asked for; at a second each the last one is waited for longer than Prometheus does
)
BACKLOG = 512  # clients that wait to be let in
IDLE_S = 5  # a client's connection without a request
STOPPING_S = 5  # for answers that are on their way
_ARENA_MAX = -8  # malloc.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How to serve. `every_s` is None without sweeps; `names` are further host names under which to answer."""

    host: str = "127.0.0.1"
    port: int = 9115
    module: str = "quick"
    every_s: float | None = None
    store: StorePlace = Path("reports/history.sqlite")
    keep_s: float = KEEP_S
    any_target: bool = False
    names: tuple[str, ...] = ()


def listened(text: str) -> tuple[str, int]:
    """Host and port of --listen; UsageError for anything else."""
    match = re.fullmatch(r"(?:(?P<host>\[[0-9a-fA-F:.]+]|[A-Za-z0-9_.-]+):)?(?P<port>\d{1,5})", text)
    if match is None or not 0 <= int(match["port"]) < 65_536:
        raise UsageError(f"--listen {printable(text)}: write ADDRESS:PORT, as in 127.0.0.1:9115")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


def lasting(text: str, option: str) -> float:
    """Seconds of a duration; UsageError for what is none."""
    try:
        return duration(text)
    except ValueError as error:
        raise UsageError(f"{option} {printable(text)}: {error}") from None


def print_for(
    what: str, serving: Serving, flags: Mapping[str, Any], environment: Mapping[str, str], folder: Path
) -> str:
    """What Prometheus or Grafana needs to know; rules and dashboard are the same for all targets."""
    listed = modules(flags, environment, folder).targets if what == "scrape-config" else ()
    name = next(iter(serving.names), bracketed(serving.host))
    return printed(what, f"{name}:{serving.port}", serving.module, listed)


def serve_targets(
    serving: Serving,
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    folder: Path,
    stderr: TextIO,
    interrupt: Interrupt,
) -> int:
    """Serve until a signal comes; 0 then. UsageError where something is wrong before."""
    known = modules(flags, environment, folder, any_target=serving.any_target)
    if serving.module not in known.by_name:
        raise UsageError(f"--module {printable(serving.module)}: is none of {', '.join(known.by_name)}")

    def say(text: str) -> None:
        print(f"btdiag: {plain(text)}", file=stderr, flush=True)

    for note in known.by_name[serving.module].notes:
        say(note)
    try:
        import starlette  # noqa: F401  # the extra is installed as a whole
        import uvicorn  # noqa: F401
    except ImportError:
        raise UsageError("btdiag serve needs more packages: pip install 'btdiag[serve]'") from None
    interrupt.patient = True
    _share_memory()
    return _serve(serving, known, say)


def _share_memory() -> None:
    """Let all threads allocate from one pool. The GNU C library gives each of them one of its own and hardly takes it
    back: under a siege of two minutes the process grew by 14 MB, with one pool by 5. mallopt(3), M_ARENA_MAX; other
    libraries have no such thing."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _serve(serving: Serving, known: Modules, say: Callable[[str], None]) -> int:
    from btdiag.serve.app import Served, application
    from btdiag.serve.engine import Engine
    from btdiag.serve.pages import Pages
    from btdiag.serve.watch import Keeper, Sweeper
    from btdiag.store.keeping import keeping
    from btdiag.store.store import opened_store

    with keeping(serving.store, serving.keep_s) as writing, opened_store(serving.store) as reading:
        keeper = Keeper(writing, known.targets, say)
        chosen = known.by_name[serving.module]
        engine = Engine(chosen.parallel, MOST_WAITING, keeper.take)
        names = (serving.module,) if serving.every_s else ()
        sweeper = Sweeper(engine, known, names, serving.every_s or 1e9, keeper.known)
        pages = Pages(reading, known, keeper.known, serving.module)
        served = Served(
            engine=engine,
            modules=known,
            known=keeper.known,
            pages=pages,
            default_module=serving.module,
            say=say,
        )
        server = _server(serving, application(served, _names(serving)))
        sockets = [_bound(serving)]
        engine.start(chosen.checks)
        try:
            _announce(serving, known, sockets[0].getsockname()[1], say)
            sweeper.start()
            with suppress(KeyboardInterrupt):
                server.run(sockets=sockets)
        finally:
            _end(engine, sweeper)
    return 0


def _end(engine: Engine, sweeper: Sweeper) -> None:
    sweeper.stop()
    engine.stop()


def _server(serving: Serving, app: Any) -> Any:
    import uvicorn

    from btdiag.serve.connections import Connection
    from btdiag.serve.guard import LONGEST_TARGET, MOST_HEADERS

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",  # what others send wrong is no news
            access_log=False,
            lifespan="off",
            http=Connection,
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOPPING_S,
            h11_max_incomplete_event_size=LONGEST_TARGET + MOST_HEADERS,
        )
    )


def _bound(serving: Serving) -> Any:
    """The socket, bound before anything is said; UsageError where the address is taken or not ours."""
    import socket

    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((serving.host, serving.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise UsageError(f"--listen {serving.host}:{serving.port}: {error.strerror or error}") from None
    return bound


def _names(serving: Serving) -> Sequence[str]:
    """The host names under which it answers: those of loopback, what it listens on, and those of --allow-host."""
    from btdiag.serve.guard import LOOPBACK

    return (*LOOPBACK, bracketed(serving.host), *serving.names)


def _announce(serving: Serving, known: Modules, port: int, say: Callable[[str], None]) -> None:
    if not _is_loopback(serving.host):
        say("WARNING: others can reach this address: nobody is asked for a password; put a proxy that does before it")
    if serving.any_target:
        say("WARNING: --any-target: whoever reaches this address can have any host probed from this machine")
    count = f"{len(known.targets):,} target{'s' if len(known.targets) != 1 else ''}"
    say(f"serving {count} on http://{bracketed(serving.host)}:{port}/ (Ctrl-C ends it)")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
