"""Requests with which `btdiag serve` is attacked, and what may answer them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Shot:
    """One attack: the bytes that are sent, and which statuses may answer them ("" for none)."""

    sent: bytes
    may: frozenset[str]


def shots(port: int, canaries: tuple[str, ...], listed: tuple[str, ...]) -> list[Shot]:
    """All attacks, and between them what is asked for honestly."""
    here = f"127.0.0.1:{port}"
    good = [get(path, here, "200", "503") for path in ("/", "/metrics", "/style.css", "/-/healthy", "/?q=a&page=9")]
    good += [get(f"/target?url={quote(url)}", here, "200", "503") for url in listed]
    good += [get(f"/report?url={quote(url)}", here, "303", "404", "503") for url in listed]
    good += [get(f"/report/{number}", here, "200", "404", "503") for number in (1, 2, 3)]
    good += [get(f"/probe?target={quote(url)}", here, "200", "503") for url in listed]
    return [*good * 3, *_names(here), *_paths(here), *_forgeries(here, canaries), *_garbage(here)]


def thorough(port: int, listed: tuple[str, ...]) -> list[Shot]:
    """Runs of all checks that need no idle wait, which take seconds each."""
    here = f"127.0.0.1:{port}"
    return [get(f"/probe?target={quote(url)}&module=standard", here, "200", "503") for url in listed]


def get(path: str, host: str, *may: str, more: str = "") -> Shot:
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"
    return Shot(request.encode("utf-8", "surrogateescape"), frozenset(may))


def _names(here: str) -> Iterator[Shot]:
    """Under names that are not ours, as a page has it that rebinds its own."""
    for name in (
        *("evil.example", "evil.example:9115", f"{here}.evil.example", f"evil.example#{here}", f"{here}@evil.example"),
        *("169.254.169.254", "0.0.0.0", "127.0.0.2", "localhost.evil.example", "[::2]", "127.1", "", "LOCALHOST\\evil"),
    ):
        yield get("/", name, "421", "400", "503")
        yield get("/metrics", name, "421", "400", "503")
    for more in ("Host: evil.example\r\n", f"Host: {here}\r\n"):
        yield get("/", here, "421", "400", "503", more=more)
    for site in ("cross-site", "same-site"):
        yield get("/probe?target=http://127.0.0.1", here, "403", "503", more=f"Sec-Fetch-Site: {site}\r\n")
    yield Shot(b"GET / HTTP/1.0\r\n\r\n", frozenset({"421", "400", "503"}))
    yield Shot(b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", frozenset({"421", "400", "503"}))


def _paths(here: str) -> Iterator[Shot]:
    """To files, and to what is no path."""
    for path in (
        *("/../../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "/etc/passwd"),
        *("//etc/passwd", "/report/../../etc/passwd", "/report/%2e%2e%2fetc%2fpasswd", "/style.css/../../etc/passwd"),
        *("/..%5c..%5cetc%5cpasswd", "/%00", "/report/1%00", "/report/-1", f"/report/{'9' * 60}", "/report/1e3"),
        *("/templates/base.html", "/s.sqlite", "/.git/config", "file:///etc/passwd", "/target?url=file:///etc/passwd"),
        *(
            "/target?url=%00",
            "/target?url=%ff%fe",
            "/report?url='%20OR%201=1--",
            "/target?url=<script>alert(1)</script>",
        ),
    ):
        yield get(path, here, "404", "400", "503")
    for query in (
        "page=-1",
        "page=" + "9" * 400,
        "verdict=<script>alert(1)</script>",
        "q=" + "%27" * 300,
        "q=%00&page=٣",
    ):
        yield get("/?" + quote(query, safe="=&%<>"), here, "200", "503")
    yield get("/?q=" + "a" * 9_000, here, "414", "503")


def _forgeries(here: str, canaries: tuple[str, ...]) -> Iterator[Shot]:
    """At targets that no list names."""
    refused = ("403", "400", "404", "503")
    for place in canaries:
        host, _, port = place.rpartition(":")
        spelled = (
            *(f"http://{place}", f"HTTP://{place}/", f"http://{place}/%2e%2e", f"http://user:pw@{place}", f"//{place}"),
            *(
                f"https://{place}",
                f"http://{host}.:{port}",
                f"http://[::ffff:{host}]:{port}",
                f"http://0x7f000001:{port}",
            ),
            *(
                f"http://2130706433:{port}",
                f"http://0177.0.0.1:{port}",
                f"http://127.1:{port}",
                f"http://localhost:{port}",
            ),
            *(f"gopher://{place}/_x", f"ftp://{place}", f"http://{place}#@127.0.0.1", f"http://①②⑦.0.0.1:{port}"),
            *(f"http://{place}\r\nX: y", f"http://{place}\t", f" http://{place}", f"http://127.0.0.1:80@{place}"),
        )
        for url in spelled:
            yield get(f"/probe?target={quote(url)}", here, *refused)
            yield get(f"/probe?target={quote(url)}&module=standard", here, *refused)
    for url in (
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "file:///etc/passwd",
        "lab:healthy",
        "",
    ):
        yield get(f"/probe?target={quote(url)}", here, *refused)
    for module in ("../quick", "none", "%00", "quick%0d%0aX:%20y"):
        yield get(f"/probe?target=http://127.0.0.1:9&module={module}", here, "404", "503")


def _garbage(here: str) -> Iterator[Shot]:
    """What is no request, or one that never ends."""
    bad = frozenset({"400", "405", "411", "413", "414", "421", "426", "431", "501", "503", "505", ""})
    for verb in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "BREW"):
        yield Shot(f"{verb} / HTTP/1.1\r\nHost: {here}\r\nContent-Length: 5\r\n\r\nhello".encode(), bad)
    yield Shot(f"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: {here}\r\n\r\n".encode(), bad)
    yield Shot(f"GET / HTTP/1.1\r\nHost: {here}\r\nX: {'a' * 70_000}\r\n\r\n".encode(), bad)
    both = "Connection: close\r\nTransfer-Encoding: chunked\r\nContent-Length: 3"
    yield Shot(f"POST / HTTP/1.1\r\nHost: {here}\r\n{both}\r\n\r\nzz".encode(), bad)
    yield Shot(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bad)
    yield Shot(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), bad)
    yield Shot(os.urandom(2_000), bad)
    yield Shot(b"\x00" * 100_000, bad)
    for unfinished in (b"", b"GET / HT", f"GET /metrics HTTP/1.1\r\nHost: {here}\r\nX".encode()):
        yield Shot(unfinished, bad)
