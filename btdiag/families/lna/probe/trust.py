"""How the browser comes to trust a private CA: a certificate database of its own, or the keys that btdiag verified.

Chromium on Linux reads the database in its HOME; elsewhere, and without certutil, exactly the keys whose certificates
btdiag itself verified with that CA are let through. Certificate errors are never ignored otherwise.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from btdiag.core.target import Way
from btdiag.net.streams import DialError
from btdiag.net.wire import Wire

MOST = 8  # certificates imported; a file with more is a whole trust store, which takes seconds to import
LIMIT = 5.0  # seconds for all certutil calls
PRINTED = 256 * 1024  # bytes of what certutil prints that are read
_TRUSTED = re.compile(r"^(.*\S)\s+[a-zA-Z]*C[a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*\s*$")  # a CA for servers, in `certutil -L`
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def authorities(ca_file: Path) -> list[bytes]:
    """The certificates in a PEM file, each as PEM; none if it cannot be read."""
    try:
        return _CERTIFICATE.findall(ca_file.read_bytes())
    except OSError:
        return []


def can_import(ca_file: Path) -> bool:
    """Whether the browser can be given the CAs themselves here."""
    return sys.platform == "linux" and shutil.which("certutil") is not None and 0 < len(authorities(ca_file)) <= MOST


async def own_authorities(home: Path) -> tuple[str, ...]:
    """The CAs that the person with this HOME has their browsers trust, as PEM: a browser with a profile of its own
    would not know them. () where there are none, or where certutil cannot tell."""
    database = home / ".pki" / "nssdb"
    if sys.platform != "linux" or not (database / "cert9.db").is_file() or shutil.which("certutil") is None:
        return ()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(LIMIT):
            listed = await _certutil("-d", f"sql:{database}", "-L")
            names = [match[1] for line in listed.splitlines() if (match := _TRUSTED.match(line))]
            found = [await _certutil("-d", f"sql:{database}", "-L", "-a", "-n", name) for name in names[:MOST]]
            return tuple(pem for pem in found if pem.startswith("-----BEGIN CERTIFICATE-----"))
    return ()


async def import_authorities(ca_file: str, own: Sequence[str], home: Path) -> str:
    """Put the CAs of a file, and a person's own, into the database of the browser with that HOME; says so in words."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    place = f"sql:{database}"
    async with asyncio.timeout(LIMIT):
        await _certutil("-d", place, "-N", "--empty-password")
        given = authorities(Path(ca_file)) if ca_file else []
        for number, pem in enumerate([*given, *(text.encode() for text in own)]):
            file = home / f"ca-{number}.pem"
            file.write_bytes(pem + b"\n")
            await _certutil("-d", place, "-A", "-t", "C,,", "-n", f"btdiag {number}", "-i", str(file))
    whose = [f"the CA of {ca_file}"] if ca_file else []
    whose += [f"{len(own)} CA of this user's ~/.pki/nssdb"] if own else []
    return f"{' and '.join(whose)}, in the browser's own certificate database"


async def _certutil(*arguments: str) -> str:
    """Run it; what it prints, as far as it is text."""
    silent, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("certutil", *arguments, stdin=silent, stdout=pipe, stderr=silent)
    try:
        printed, _ = await process.communicate()
        return printed[:PRINTED].decode("utf-8", "replace")
    finally:
        if process.returncode is None:
            process.kill()


async def verified_keys(ways: list[Way], wire: Wire) -> tuple[str, ...]:
    """The public keys of the certificates that verify on these ways: base64 of the SHA-256 of each (SPKI)."""
    found = await asyncio.gather(*(_key(way, wire) for way in ways if way.verify))
    return tuple(dict.fromkeys(key for key in found if key))


async def _key(way: Way, wire: Wire) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        stream = await wire.dial(way.route, tls=True)
    except DialError:
        return ""
    certificate = stream.ssl_object.getpeercert(binary_form=True) if stream.ssl_object else None
    await stream.close()
    if certificate is None:
        return ""
    public = x509.load_der_x509_certificate(certificate).public_key()
    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()
