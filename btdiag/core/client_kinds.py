"""The product's other clients: programs that reach the data plane with libraries and settings of their own."""

from __future__ import annotations

from enum import StrEnum


class ClientKind(StrEnum):
    """A kind of program, by the library that decides how it connects."""

    PYTHON = "the Python SDK (requests)"
    HTTPX = "Python programs on httpx"
    NODE = "the JavaScript SDK (Node.js)"
    GO = "Go programs"
    CURL = "curl"
    BROWSER = "browsers"

    @property
    def languages(self) -> frozenset[str]:
        """What --sdk calls the SDKs that connect in this way."""
        return _LANGUAGES.get(self, frozenset())


PYTHON = frozenset({"python", "py"})
JAVASCRIPT = frozenset({"js", "javascript", "typescript", "ts", "node"})
GO = frozenset({"go", "golang"})
LOGGING_IN = GO | {"java", "kotlin", "ruby", "csharp"}
"""Languages of further SDKs, of which no more is known than that they log in."""
SDK_LANGUAGES = PYTHON | JAVASCRIPT | LOGGING_IN
"""What --sdk takes."""
_LANGUAGES = {
    ClientKind.PYTHON: PYTHON,
    ClientKind.NODE: JAVASCRIPT,
    ClientKind.GO: GO,
}
