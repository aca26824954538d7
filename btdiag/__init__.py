"""Connectivity and load-balancer diagnostics for self-hosted Braintrust data planes.

For programs: `run`, `arun`, `lint` and `logs`, what they return and raise (docs/python.md), loaded when they are used.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from btdiag.api import RunReport as Report
    from btdiag.api import arun, run
    from btdiag.config.values import UsageError
    from btdiag.lint.program import LintReport, lint
    from btdiag.logs.program import LogsReport, logs

__version__ = "0.1.0"
__all__ = ["LintReport", "LogsReport", "Report", "UsageError", "arun", "lint", "logs", "run"]

_PLACES = {
    "LintReport": ("btdiag.lint.program", "LintReport"),
    "LogsReport": ("btdiag.logs.program", "LogsReport"),
    "Report": ("btdiag.api", "RunReport"),
    "UsageError": ("btdiag.config.values", "UsageError"),
    "arun": ("btdiag.api", "arun"),
    "run": ("btdiag.api", "run"),
}


def __getattr__(name: str) -> Any:
    if name in ("lint", "logs"):
        return _import_module(f"btdiag.{name}")  # a module that can be called: it has the name of the function
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    return getattr(_import_module(module), attribute)
