"""The table of `btdiag run` options: flag, environment variable, profile key, kind and help in one place.

The command line, the profile file and the documentation are all made from it. A profile key is the option's name with
underscores.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ValueKind(StrEnum):
    """How a value is read: `seconds` takes a number, `duration` also a unit (90, 90s, 5m, 500ms, 1h)."""

    TEXT = "text"
    URL = "url"
    ANY_URL = "any-url"  # http, https, ws or wss
    ROLE_URL = "role-url"  # [ROLE=]URL, the role of one of Brainstore's servers
    PATH = "path"
    STORE = "store"  # a path, or a PostgreSQL URL
    NUMBER = "number"
    SECONDS = "seconds"
    DURATION = "duration"
    FLAG = "flag"
    CHOICE = "choice"
    SWITCH = "switch"  # --name / --no-name, unset by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. `single` marks those that mean one target only (ambiguous with several); `discovered` those that a
    profile which merely lies in the current directory may set: nothing that decides where anything is sent or written,
    whom to trust or what code runs, since whoever wrote that file may be a stranger."""

    name: str
    kind: ValueKind
    group: str
    help: str
    metavar: str = ""
    short: str = ""
    env: str = ""
    repeatable: bool = False
    single: bool = False
    discovered: bool = False
    choices: tuple[str, ...] = ()
    profile: bool = True

    @property
    def key(self) -> str:
        """The name in a profile and in Python."""
        return self.name.replace("-", "_")


WHAT, LONG, WHOM, WAY = "What", "How long", "As whom", "Which way"
DECLARED, RESTRICTION, KEEPALIVE, BROWSER, OUTPUT = "Declared", "Restriction", "Keep-alive", "Browser", "Output"

FORMAT_NAMES = ("text", "json", "markdown", "junit", "html", "sarif", "openmetrics")
RUN_FORMATS = (*FORMAT_NAMES, "ndjson")
"""What a run may print and write; ndjson is one report a line, each as soon as its target has ended."""
FAIL_ON = ("fail", "inconclusive", "warn", "never")
BRAINSTORE_ROLES = ("reader", "fast-reader", "writer")
ROLES = ("data-plane", "sdk", "browser", "build")


def _option(name: str, kind: ValueKind, group: str, help: str, **more: object) -> Option:
    return Option(name=name, kind=kind, group=group, help=help, **more)  # type: ignore[arg-type]


OPTIONS: tuple[Option, ...] = (
    _option(
        "target",
        ValueKind.TEXT,
        WHAT,
        "the data plane's API URL, or lab:SCENARIO",
        metavar="URL",
        repeatable=True,
        env="BRAINTRUST_API_URL",
        discovered=True,
    ),
    _option(
        "targets", ValueKind.PATH, WHAT, "a file of targets, one a line; # starts a comment, - is stdin", metavar="FILE"
    ),
    _option("parallel", ValueKind.NUMBER, WHAT, "so many targets at once (default 50)", metavar="N"),
    _option(
        "profile",
        ValueKind.PATH,
        WHAT,
        "settings file (default: btdiag.toml in the current directory)",
        metavar="FILE",
        profile=False,
    ),
    _option(
        "only",
        ValueKind.TEXT,
        WHAT,
        "run only these checks: family, id or glob",
        metavar="PATTERN",
        repeatable=True,
        discovered=True,
    ),
    _option(
        "skip", ValueKind.TEXT, WHAT, "leave these checks out", metavar="PATTERN", repeatable=True, discovered=True
    ),
    _option("checks", ValueKind.PATH, WHAT, "a folder with your own checks", metavar="DIR", repeatable=True),
    _option("dry-run", ValueKind.FLAG, WHAT, "print what would be sent and waited for, send nothing", profile=False),
    _option("quick", ValueKind.FLAG, LONG, "no idle waits: judge from what is known without them", discovered=True),
    _option("deep", ValueKind.FLAG, LONG, "more sizes, ages and periods", discovered=True),
    _option(
        "budget",
        ValueKind.DURATION,
        LONG,
        "the time the whole run may take, of several targets each (default 120s)",
        metavar="DURATION",
        discovered=True,
    ),
    _option(
        "wait", ValueKind.DURATION, LONG, "repeat until healthy, at most this long", metavar="DURATION", profile=False
    ),
    _option(
        "watch",
        ValueKind.DURATION,
        LONG,
        "run again at this interval, print what changes",
        metavar="INTERVAL",
        profile=False,
    ),
    _option(
        "api-key-env",
        ValueKind.TEXT,
        WHOM,
        "the variable that holds the API key (default BRAINTRUST_API_KEY)",
        metavar="NAME",
    ),
    _option(
        "key-over-http",
        ValueKind.FLAG,
        WHOM,
        "send the API key over plain http too, to an address that is not public",
    ),
    _option(
        "header",
        ValueKind.TEXT,
        WHOM,
        "sent to the target with every request; 'Name: @ENV' reads a variable",
        metavar="'NAME: VALUE'",
        repeatable=True,
    ),
    _option("ca", ValueKind.PATH, WHOM, "certificates to trust (PEM)", metavar="FILE", env="SSL_CERT_FILE"),
    _option("client-cert", ValueKind.PATH, WHOM, "client certificate (PEM)", metavar="FILE"),
    _option("client-key", ValueKind.PATH, WHOM, "its private key (PEM)", metavar="FILE"),
    _option("proxy", ValueKind.TEXT, WAY, "the HTTP proxy to go through", metavar="URL", env="HTTPS_PROXY"),
    _option("no-proxy", ValueKind.FLAG, WAY, "ignore every proxy setting"),
    _option(
        "resolve",
        ValueKind.TEXT,
        WAY,
        "use this address for the name, as curl does",
        metavar="HOST:PORT:ADDRESS",
        repeatable=True,
    ),
    _option("nameserver", ValueKind.TEXT, WAY, "ask this name server", metavar="ADDRESS[:PORT]"),
    _option("backend", ValueKind.URL, WAY, "the API server itself, past the load balancer", metavar="URL", single=True),
    _option(
        "brainstore",
        ValueKind.ROLE_URL,
        WAY,
        f"Brainstore, or each of its roles: {', '.join(BRAINSTORE_ROLES)}",
        metavar="[ROLE=]URL",
        repeatable=True,
        single=True,
    ),
    _option("gateway", ValueKind.URL, WAY, "the AI gateway", metavar="URL", single=True),
    _option("bucket", ValueKind.URL, WAY, "where presigned downloads go", metavar="URL", single=True),
    _option(
        "lb-idle-timeout",
        ValueKind.SECONDS,
        DECLARED,
        "how long the load balancer keeps an idle connection to the API",
        metavar="SECONDS",
        single=True,
        discovered=True,
    ),
    _option(
        "backend-keepalive",
        ValueKind.SECONDS,
        DECLARED,
        "TS_API_KEEP_ALIVE_TIMEOUT_SECONDS of the API server",
        metavar="SECONDS",
        single=True,
        discovered=True,
    ),
    _option(
        "app-url",
        ValueKind.URL,
        DECLARED,
        "the control plane (default https://www.braintrust.dev)",
        metavar="URL",
        env="BRAINTRUST_APP_URL",
    ),
    _option(
        "origin",
        ValueKind.TEXT,
        DECLARED,
        "web origin that calls the API (default: the web app's)",
        metavar="ORIGIN",
        repeatable=True,
    ),
    _option(
        "config",
        ValueKind.PATH,
        DECLARED,
        "Helm, Terraform or env files (or a folder) to hold against what is measured",
        metavar="PATH",
        repeatable=True,
    ),
    _option(
        "logs",
        ValueKind.PATH,
        DECLARED,
        "the load balancer's log: what it writes during the run is held against what was sent",
        metavar="PATH",
        repeatable=True,
        single=True,
    ),
    _option(
        "sdk",
        ValueKind.TEXT,
        DECLARED,
        "SDK in use (default: the newest known)",
        metavar="LANG=VERSION",
        repeatable=True,
        discovered=True,
    ),
    _option("role", ValueKind.CHOICE, RESTRICTION, "which hosts this place needs", choices=ROLES, discovered=True),
    _option(
        "allow", ValueKind.ANY_URL, RESTRICTION, "must be reachable from here as well", metavar="URL", repeatable=True
    ),
    _option(
        "expect-blocked", ValueKind.ANY_URL, RESTRICTION, "must not answer from here", metavar="URL", repeatable=True
    ),
    _option(
        "induce",
        ValueKind.SWITCH,
        KEEPALIVE,
        "provoke the 502 race (default: only in the lab); it can cost users errors",
    ),
    _option("connections", ValueKind.NUMBER, KEEPALIVE, "at most so many at once (default 200)", metavar="N"),
    _option(
        "probe-path", ValueKind.TEXT, KEEPALIVE, "harmless path for it (default: a random unknown one)", metavar="PATH"
    ),
    _option(
        "periods",
        ValueKind.NUMBER,
        KEEPALIVE,
        "idle periods to try (default: what the budget holds, at most 4)",
        metavar="N",
        discovered=True,
    ),
    _option("browser", ValueKind.TEXT, BROWSER, "auto, none, or the browser's path", metavar="auto|none|PATH"),
    _option("headed", ValueKind.FLAG, BROWSER, "show the browser: a person answers the real prompt"),
    _option("screenshots", ValueKind.FLAG, BROWSER, "keep pictures of the pages"),
    _option("browser-profile", ValueKind.PATH, BROWSER, "read stored permissions from this profile", metavar="DIR"),
    _option("format", ValueKind.CHOICE, OUTPUT, "what goes to stdout (default text)", choices=RUN_FORMATS),
    _option("output", ValueKind.PATH, OUTPUT, "where report files go (default reports/)", metavar="DIR", short="o"),
    _option("report", ValueKind.TEXT, OUTPUT, "write this format to this file", metavar="FORMAT=PATH", repeatable=True),
    _option("no-files", ValueKind.FLAG, OUTPUT, "write no report files"),
    _option(
        "store",
        ValueKind.STORE,
        OUTPUT,
        "keep every finished run for btdiag history: in this file (SQLite), or in postgresql://...",
        metavar="FILE|URL",
        env="BTDIAG_STORE",
    ),
    _option(
        "keep",
        ValueKind.DURATION,
        OUTPUT,
        "how long --store keeps a run (default 90d)",
        metavar="DURATION",
        env="BTDIAG_KEEP",
    ),
    _option(
        "fail-on",
        ValueKind.CHOICE,
        OUTPUT,
        "the least verdict that exits with 1 (default fail)",
        choices=FAIL_ON,
        discovered=True,
    ),
    _option("quiet", ValueKind.FLAG, OUTPUT, "only the answer", short="q"),
    _option("verbose", ValueKind.FLAG, OUTPUT, "passes and skips too, with evidence", short="v"),
    _option("no-color", ValueKind.FLAG, OUTPUT, "no colours", env="NO_COLOR"),
    _option("no-progress", ValueKind.FLAG, OUTPUT, "no progress on stderr"),
)

BY_KEY = {option.key: option for option in OPTIONS}
