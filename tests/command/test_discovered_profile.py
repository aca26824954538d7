"""A btdiag.toml that a stranger left in the current directory: it takes no key, no header, no certificate, and sends
nothing anywhere. The real command runs against servers that remember what they were sent."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from btdiag.config.options import OPTIONS, ValueKind
from tests.support.cli import Done, btdiag
from tests.support.recorder import Recorder, recording

KEY, DOOR, COOKIE, OTHER = "sk-canary-1d4f", "canary-door-77aa", "canary-cookie-0b0b", "canary-other-5e5e"
CANARIES = (KEY, DOOR, COOKIE, OTHER)
ENVIRONMENT = {"BRAINTRUST_API_KEY": KEY, "OTHER_KEY": OTHER, "DOOR": DOOR}
OWN_CHECK = '''
from btdiag.core.measurement import Scope, measurement
from btdiag.core.target import Way

@measurement(budget=5, why="as long as a health check waits", scope=Scope.ADDRESS, sends=lambda target, mode: ["GET /"])
async def keyed(way: Way, wire, target):
    return await wire.exchange(way, "GET", target.url_for("/own"), with_key=True)

def check_own_request_is_answered(keyed):
    """The request of a check of the user's own is answered."""
'''


@dataclass(frozen=True)
class Place:
    """A folder in which a user stands, a stranger's server, and what the user trusts."""

    folder: Path
    stranger: Recorder
    ca: Path
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.stranger.port}"


@dataclass(frozen=True)
class Attempt:
    """A way to get at secrets: what the profile says ({url}, {port}, {folder} are put in), what else the user gave."""

    name: str
    profile: str
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    only: str = "readiness"


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def server_context(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1", "localhost", "stranger.example").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@pytest.fixture
def place(ca: trustme.CA, tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "clone"
    folder.mkdir()
    ca_file, certificate = tmp_path / "ca.pem", tmp_path / "client.pem"
    ca.cert_pem.write_to_path(ca_file)
    ca.issue_cert("user@example.com").private_key_and_cert_chain_pem.write_to_path(certificate)
    with recording(server_context(ca)) as stranger:
        yield Place(folder, stranger, ca_file, certificate)


def run(place: Place, *arguments: str, only: str = "readiness", **environment: str) -> Done:
    """Everything secret that a user can give, given."""
    return btdiag(
        *("run", "--quick", "--browser", "none", "--no-files", "--format", "json", "--ca", str(place.ca)),
        *("--header", "X-Door: @DOOR", "--header", f"Cookie: session={COOKIE}"),
        *("--client-cert", str(place.certificate)),
        *(("--only", only) if only else ()),
        *arguments,
        cwd=place.folder,
        env={**ENVIRONMENT, **environment},
    )


def write(place: Place, text: str) -> Path:
    path = place.folder / "btdiag.toml"
    filled = text.replace("{url}", place.url).replace("{port}", str(place.stranger.port))
    path.write_text(filled.replace("{folder}", str(place.folder)), "utf-8")
    return path


def astray(seen: Recorder) -> list[str]:
    found = [canary for canary in CANARIES if canary in seen.said]
    return found + ["client certificate"] * bool(seen.certificates)


TARGET = 'target = "{url}"\n'
ATTEMPTS = (
    Attempt("plainly", TARGET),
    Attempt("in a list", 'target = ["{url}"]'),
    Attempt("twice", 'target = ["{url}", "{url}/"]'),
    Attempt("in capitals", 'target = "HTTPS://127.0.0.1:{port}"'),
    Attempt("with slashes", 'target = "{url}///"'),
    Attempt("with a path", 'target = "{url}/api"'),
    Attempt("by name", 'target = "https://localhost:{port}"'),
    Attempt("by name in capitals with a dot", 'target = "https://LOCALHOST.:{port}/"'),
    Attempt("over http", 'target = "http://127.0.0.1:{port}"'),
    Attempt("beside a closed port", 'target = ["https://127.0.0.1:9", "{url}"]'),
    Attempt("with a byte order mark", "\ufeff" + TARGET),
    Attempt("with other line ends", "\r\n" + TARGET.replace("\n", "\r\n")),
    Attempt("with its own table", TARGET + '[targets."{url}"]\nsdk = ["python=0.0.1"]\nlb_idle_timeout = 5\n'),
    Attempt("with a table of other spelling", TARGET + '[targets."HTTPS://127.0.0.1:{port}/"]\nrole = "build"\n'),
    Attempt("as a place that runs SDKs", TARGET + 'role = "sdk"\n', only="sdk"),
    Attempt("as a place of browsers", TARGET + 'role = "browser"\n'),
    Attempt("with all that it may set", TARGET + 'quick = true\nbudget = "30s"\nperiods = 1\nfail_on = "never"\n'),
    Attempt("with a waiver", TARGET + '[[waive]]\nid = "dns.resolves"\nuntil = 2099-01-01\nreason = "x"\n'),
    Attempt("asking for the key's check", TARGET + 'only = ["readiness.key-is-accepted"]\n', only=""),
    Attempt("seen by every family", TARGET, only=""),
    Attempt("seen by login", TARGET, only="sdk"),
    Attempt("seen by preflights", TARGET, only="cors"),
    Attempt("seen by the gateway's checks", TARGET, only="gateway"),
    Attempt("seen by the audit", TARGET, only="audit"),
    Attempt("seen by connections", TARGET, only="connection"),
    Attempt("with another variable for the key", TARGET, ("--api-key-env", "OTHER_KEY")),
    Attempt("with a header that logs in", TARGET, ("--header", f"Authorization: Bearer {OTHER}"), only="sdk"),
    Attempt("as the user's backend too", TARGET, ("--backend", "{url}")),
    Attempt("as the user's gateway too", TARGET, ("--gateway", "{url}"), only="gateway"),
    Attempt("as the user's bucket too", TARGET, ("--bucket", "{url}"), only="cors"),
    Attempt("as the user's Brainstore too", TARGET, ("--brainstore", "{url}")),
    Attempt("as the user's app too", TARGET, ("--app-url", "{url}"), only="sdk"),
    Attempt("as an app from the environment", TARGET, (), {"BRAINTRUST_APP_URL": "{url}"}, only="sdk"),
    Attempt("as what must be reachable", TARGET, ("--allow", "{url}"), only="egress"),
    Attempt("as what must be blocked", TARGET, ("--expect-blocked", "{url}"), only="egress"),
    Attempt("as an origin", TARGET, ("--origin", "{url}"), only="cors"),
    Attempt("with an empty variable", TARGET, (), {"BRAINTRUST_API_URL": ""}),
    Attempt("with a resolved name", 'target = "https://stranger.example:{port}"',
            ("--resolve", "stranger.example:{port}:127.0.0.1")),
    Attempt("past every proxy", TARGET, ("--no-proxy",), {"HTTPS_PROXY": "http://127.0.0.1:9"}),
    Attempt("with a SSL_CERT_FILE", TARGET, (), {"SSL_CERT_FILE": "{ca}"}),
    Attempt("with own checks of the user", TARGET, ("--checks", "{own}"), only=""),
    Attempt("until healthy", TARGET, ("--wait", "2s")),
    Attempt("with a lab beside it", 'target = ["{url}", "lab:healthy"]'),
)  # fmt: skip


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_what_only_a_found_profile_names_gets_nothing_secret(place: Place, attempt: Attempt) -> None:
    write(place, attempt.profile)
    own = place.folder.parent / "own"
    own.mkdir()
    (own / "check_own.py").write_text(OWN_CHECK)

    def filled(text: str) -> str:
        text = text.replace("{url}", place.url).replace("{port}", str(place.stranger.port))
        return text.replace("{ca}", str(place.ca)).replace("{own}", str(own))

    environment = {name: filled(value) for name, value in attempt.environment.items()}
    done = run(place, *map(filled, attempt.arguments), only=attempt.only, **environment)
    assert done.code in (0, 1, 3), done.err
    assert place.stranger.heads or "http://" in attempt.profile, "nothing was sent: the attempt proves nothing"
    assert astray(place.stranger) == []
    assert "found in the current directory" in done.err
    assert "withheld: only" in done.out
    assert not any(canary in done.out + done.err for canary in CANARIES)


@pytest.mark.parametrize("link", ["file", "folder"])
def test_a_link_makes_no_profile_trusted(place: Place, link: str) -> None:
    elsewhere = place.folder.parent / "elsewhere"
    place.folder.rename(elsewhere)
    real = elsewhere / "btdiag.toml"
    real.write_text(f'target = "{place.url}"')
    if link == "folder":
        place.folder.symlink_to(elsewhere)
    else:
        place.folder.mkdir()
        (place.folder / "btdiag.toml").symlink_to(real)
    done = run(place)
    assert place.stranger.heads
    assert astray(place.stranger) == []
    assert link == "folder" or f"a link to {real}" in done.err


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "broken", "loop", "socket"])
def test_what_is_no_file_is_no_profile_and_nobody_waits_for_it(
    place: Place, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place.folder / "btdiag.toml"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "broken":
            path.symlink_to("nowhere")
        case "loop":
            path.symlink_to(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener, monkeypatch.context() as there:
                there.chdir(place.folder)  # the path of a socket has at most some hundred characters
                listener.bind("btdiag.toml")
    done = run(place, "--target", place.url)
    assert (done.code, place.stranger.heads) == (2, [])
    assert done.err.count("\n") == 1
    assert "btdiag.toml: cannot be read" in done.err


REFUSED = [option for option in OPTIONS if option.profile and not option.discovered]


def _value(option: str, kind: ValueKind) -> str:
    if kind in (ValueKind.FLAG, ValueKind.SWITCH):
        return "true"
    if kind is ValueKind.NUMBER:
        return "1"
    return {
        "header": '["X-Stolen: @BRAINTRUST_API_KEY"]',
        "api_key_env": '"OTHER_KEY"',
        "resolve": '["good.example:443:127.0.0.1"]',
        "nameserver": '"127.0.0.1"',
        "report": '["text=precious"]',
        "output": '"../elsewhere"',
        "format": '"json"',
    }.get(option, '"{url}"' if kind in (ValueKind.URL, ValueKind.TEXT) else '"{folder}"')


@pytest.mark.parametrize("table", [False, True], ids=["for all", "for one target"])
@pytest.mark.parametrize("option", REFUSED, ids=lambda option: option.key)
def test_a_found_profile_sets_nothing_else(place: Place, option: object, table: bool) -> None:
    key = option.key  # type: ignore[attr-defined]
    line = f"{key} = {_value(key, option.kind)}\n"  # type: ignore[attr-defined]
    write(place, '[targets."{url}"]\n' + line if table else line + TARGET)
    precious = place.folder / "precious"
    precious.write_text("precious")
    done = run(place, "--target", place.url)
    assert (done.code, place.stranger.heads, done.out) == (2, [], "")
    assert done.err.count("\n") == 1
    assert key in done.err
    assert "--profile" in done.err
    assert precious.read_text() == "precious"


# --- and whom a user trusts does get it -------------------------------------------------------------------------------


def test_a_named_profile_is_trusted(place: Place) -> None:
    path = write(place, TARGET)
    done = run(place, "--profile", str(path))
    assert KEY in place.stranger.said
    assert DOOR in place.stranger.said
    assert place.stranger.certificates
    assert "withheld" not in done.err


@pytest.mark.parametrize("spelling", ["{url}", "HTTPS://127.0.0.1:{port}/"])
@pytest.mark.parametrize("where", ["flag", "environment", "file"])
def test_a_target_that_the_user_names_too_is_the_users(place: Place, where: str, spelling: str) -> None:
    write(place, TARGET)
    url = spelling.replace("{url}", place.url).replace("{port}", str(place.stranger.port))
    if where == "flag":
        run(place, "--target", url)
    elif where == "environment":
        run(place, BRAINTRUST_API_URL=url)
    else:
        (place.folder / "targets.txt").write_text(url)
        run(place, "--targets", "targets.txt")
    assert KEY in place.stranger.said
    assert DOOR in place.stranger.said


@pytest.mark.parametrize("where", ["flag", "environment"])
def test_the_users_own_target_replaces_the_strangers(place: Place, ca: trustme.CA, where: str) -> None:
    write(place, TARGET + '[targets."{url}"]\nlb_idle_timeout = 5\n')
    with recording(server_context(ca)) as good:
        url = f"https://127.0.0.1:{good.port}"
        run(place, *(("--target", url) if where == "flag" else ()), BRAINTRUST_API_URL=url)
    assert KEY in good.said
    assert place.stranger.heads == []


def test_a_table_for_the_users_own_target_leads_nowhere_else(place: Place, ca: trustme.CA) -> None:
    with recording(server_context(ca)) as good:
        url = f"https://127.0.0.1:{good.port}"
        write(place, f'{TARGET}[targets."{url}"]\ntarget = "{{url}}"\nrole = "sdk"\nsdk = ["python=1.0"]\n')
        run(place, "--target", url)
    assert KEY in good.said
    assert place.stranger.heads == []


def test_a_lab_that_only_a_found_profile_names_gets_nothing_either(place: Place) -> None:
    write(place, 'target = "lab:healthy"')
    done = run(place, "--api-key-env", "OTHER_KEY")
    assert done.code in (0, 1), done.err
    assert "withheld: only" in done.out
