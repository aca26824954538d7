"""From what asyncio, ssl and h11 raise to a Failure: phase, trouble, detail. The one place that knows their quirks, and
the one that makes bytes from outside legible."""

from __future__ import annotations

import errno as numbers
import os
import re
import ssl

import h11

from btdiag.core.exchange import Failure, Header, Phase, Trouble

DETAIL_LIMIT = 300
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


_LOCAL = {
    numbers.EPERM,
    numbers.EMFILE,
    numbers.ENFILE,
    numbers.ENOBUFS,
    numbers.ENOMEM,
    numbers.EADDRNOTAVAIL,
    numbers.EAFNOSUPPORT,
    numbers.EINVAL,
}


_UNREACHABLE = {numbers.EHOSTUNREACH, numbers.ENETUNREACH, numbers.EHOSTDOWN, numbers.ENETDOWN, numbers.EACCES}


EXPECTED = (OSError, EOFError, UnicodeError, ValueError, h11.ProtocolError)
"""What the network, a server or an odd name can make asyncio, ssl and h11 raise. Anything else is our own fault."""


class Broken(OSError):
    """Raised by our own reading when the peer went beyond a limit, closed early or spoke nonsense."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail


def legible(content: bytes | str) -> str:
    """Text without undecodable bytes and without control characters other than tab and line ends: both become
    backslash escapes, so that no answer can steer the terminal it is shown on."""
    text = content if isinstance(content, str) else content.decode("utf-8", "backslashreplace")
    if text.isprintable():  # nearly all is, and no control character
        return text
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


def received_headers(event: h11.Response | h11.InformationalResponse) -> tuple[Header, ...]:
    """Names and values as they came, in order, made legible."""
    return tuple((legible(name), legible(value)) for name, value in event.headers.raw_items())


def failure_of(error: BaseException, phase: Phase, seconds: float | None = None) -> Failure:
    """What an error in a phase means. `seconds` is the deadline that a TimeoutError without a number ran into."""
    number = getattr(error, "errno", None) if not isinstance(error, ssl.SSLError) else None
    detail = legible(" ".join(_detail(error, seconds).split()))[:DETAIL_LIMIT]
    return Failure(phase=phase, trouble=_trouble(error, number), detail=detail, errno=number)


def _detail(error: BaseException, seconds: float | None) -> str:
    if isinstance(error, TimeoutError) and error.errno is None:
        return f"not complete within {seconds:g} s" if seconds is not None else "deadline passed"
    if isinstance(error, ConnectionResetError) and error.errno is None:
        return "closed by the other side"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{error.reason}: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own words repeat the address instead of the reason
    return str(error) or type(error).__name__


def _trouble(error: BaseException, number: int | None) -> Trouble:
    if isinstance(error, Broken):
        return error.trouble
    if isinstance(error, ssl.SSLError):
        return _tls_trouble(error)
    if isinstance(error, OSError):
        return _socket_trouble(error, number)
    if isinstance(error, h11.RemoteProtocolError):
        return _http_trouble(error)
    return Trouble.CLOSED if isinstance(error, EOFError) else Trouble.LOCAL


def _socket_trouble(error: OSError, number: int | None) -> Trouble:
    match error:
        case TimeoutError():
            return Trouble.TIMEOUT
        case ConnectionRefusedError():
            return Trouble.REFUSED
        case ConnectionResetError() if number is None:
            return Trouble.CLOSED  # asyncio's word for a FIN where more was due, in a TLS handshake or while writing
        case ConnectionError():
            return Trouble.RESET
    if number in _UNREACHABLE:
        return Trouble.UNREACHABLE
    return Trouble.LOCAL if number in _LOCAL else Trouble.PROTOCOL


def _tls_trouble(error: ssl.SSLError) -> Trouble:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble.UNTRUSTED
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Trouble.CLOSED
    reason = error.reason or ""
    if "ALERT" in reason:
        return Trouble.ALERT
    return Trouble.CLOSED if "EOF" in reason else Trouble.PROTOCOL


def _http_trouble(error: h11.RemoteProtocolError) -> Trouble:
    if error.error_status_hint == 431:
        return Trouble.TOO_LARGE
    return Trouble.CLOSED if "closed connection" in str(error) else Trouble.PROTOCOL
