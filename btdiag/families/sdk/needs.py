"""What SDKs ask for, version by version: the control-plane calls, which go to the app URL, and the data plane's own.

Read in the published packages (Python 0.20 to 0.48.1, JavaScript 0.2.2 to 3.35.0), and observed by running Python
0.34.0, 0.36.0 and 0.48.1 and JavaScript 3.35.0 on data planes that lack one call each.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from btdiag.core.client_kinds import JAVASCRIPT, PYTHON
from btdiag.core.target import Target
from btdiag.core.wording import enumerated

NEWEST = (("python", "0.48.1"), ("js", "3.35.0"))
_REST_SINCE = (0, 35)  # from this version on, Python SDKs ask the data plane's own REST API for all but the login


@dataclass(frozen=True, slots=True)
class SdkRoute:
    """One call."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


LOGIN = SdkRoute("POST", "/api/apikey/login")
PROJECT = SdkRoute("GET", "/api/project")
REGISTER_PROJECT = SdkRoute("POST", "/api/project/register")
REGISTER_EXPERIMENT = SdkRoute("POST", "/api/experiment/register")
EXPERIMENT = SdkRoute("POST", "/api/experiment/get")
BASE_EXPERIMENT = SdkRoute("POST", "/api/base_experiment/get_id")
REGISTER_DATASET = SdkRoute("POST", "/api/dataset/register")
CONTROL_ROUTES = (
    PROJECT,
    REGISTER_PROJECT,
    REGISTER_EXPERIMENT,
    EXPERIMENT,
    BASE_EXPERIMENT,
    REGISTER_DATASET,
)  # beside the login

LOGS = SdkRoute("POST", "/logs3")
READ_PROJECT = SdkRoute("GET", "/v1/project")  # stands for /v1/project/ID
CREATE_PROJECT = SdkRoute("POST", "/v1/project")
READ_EXPERIMENT = SdkRoute("GET", "/v1/experiment")
CREATE_EXPERIMENT = SdkRoute("POST", "/v1/experiment")
CREATE_DATASET = SdkRoute("POST", "/v1/dataset")
DATA_ROUTES = (LOGS, READ_PROJECT, CREATE_PROJECT, READ_EXPERIMENT, CREATE_EXPERIMENT, CREATE_DATASET)


class Flow(StrEnum):
    """What a program does with an SDK."""

    LOGIN = "login()"
    LOGGER = "init_logger()"
    LOGGER_BY_ID = "init_logger() by project id"
    RUN = "init()"
    DATASET = "init_dataset()"
    EVAL = "Eval()"
    OPEN = "init(open=True)"
    BASE = "Eval() on BaseExperiment()"

    @property
    def is_silent(self) -> bool:
        """Nothing is raised whatever fails: rows are sent from the background, and what cannot be sent is dropped.
        Python prints to stderr, JavaScript prints nothing. init() and init_dataset() ask for nothing before that either
        (observed with all four versions); it is Eval(), summarize() and reading an id that raise."""
        return self in {Flow.LOGGER, Flow.LOGGER_BY_ID, Flow.RUN, Flow.DATASET}

    @property
    def is_rare(self) -> bool:
        """Most programs do without it."""
        return self in {Flow.OPEN, Flow.BASE}


_LEGACY: Mapping[Flow, tuple[SdkRoute, ...]] = {
    Flow.LOGIN: (LOGIN,),
    Flow.LOGGER: (LOGIN, REGISTER_PROJECT, LOGS),
    Flow.LOGGER_BY_ID: (LOGIN, PROJECT, LOGS),
    Flow.RUN: (LOGIN, REGISTER_EXPERIMENT, LOGS),
    Flow.DATASET: (LOGIN, REGISTER_DATASET, LOGS),
    Flow.EVAL: (LOGIN, REGISTER_EXPERIMENT, BASE_EXPERIMENT, LOGS),
    Flow.OPEN: (LOGIN, EXPERIMENT),
    Flow.BASE: (LOGIN, REGISTER_EXPERIMENT, BASE_EXPERIMENT),
}
_REST: Mapping[Flow, tuple[SdkRoute, ...]] = {
    Flow.LOGIN: (LOGIN,),
    Flow.LOGGER: (LOGIN, CREATE_PROJECT, LOGS),
    Flow.LOGGER_BY_ID: (LOGIN, READ_PROJECT, LOGS),
    Flow.RUN: (LOGIN, CREATE_PROJECT, CREATE_EXPERIMENT, LOGS),
    Flow.DATASET: (LOGIN, CREATE_PROJECT, CREATE_DATASET, LOGS),
    Flow.EVAL: (LOGIN, CREATE_PROJECT, CREATE_EXPERIMENT, LOGS),
    Flow.OPEN: (LOGIN, READ_EXPERIMENT),
    Flow.BASE: (LOGIN, CREATE_PROJECT, CREATE_EXPERIMENT, BASE_EXPERIMENT),
}
_OTHER: Mapping[Flow, tuple[SdkRoute, ...]] = {Flow.LOGIN: (LOGIN,), Flow.LOGGER: (LOGIN,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """An SDK in one version."""

    language: str
    version: str

    def __str__(self) -> str:
        return f"{self.language} {self.version}"

    @property
    def needs(self) -> Mapping[Flow, tuple[SdkRoute, ...]]:
        """The calls of each flow, in order. Of what is neither Python nor JavaScript no more is known than that
        it logs in."""
        if self.is_javascript:
            return _LEGACY
        if self.language not in PYTHON:
            return _OTHER
        number = tuple(int(part) for part in self.version.split("."))
        return _LEGACY if number < _REST_SINCE else _REST

    @property
    def is_javascript(self) -> bool:
        """JavaScript and Python differ in what they take an empty variable for."""
        return self.language in JAVASCRIPT

    @property
    def tries_again(self) -> bool:
        """Whether a login that is answered 429 or 50x, or breaks off, is tried again: Python does (observed with
        0.34.0, 0.36.0 and 0.48.1), JavaScript never (observed with 3.35.0)."""
        return self.language in PYTHON


def sdks_of(target: Target) -> tuple[Sdk, ...]:
    """The SDKs to judge for: those declared with --sdk, or the newest known ones."""
    declared = target.sdks or NEWEST
    return tuple(Sdk(language=language.lower(), version=version) for language, version in declared)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What becomes of a flow: for lack of `route` it raises, or loses what it is given without an exception."""

    route: SdkRoute
    raises: bool

    def __str__(self) -> str:
        return "raises" if self.raises else "rows are lost silently"


Losses = Mapping[Flow, Loss]


def losses(sdk: Sdk, broken: Collection[SdkRoute]) -> Losses:
    """The flows of an SDK that cannot work without these calls. Rows that cannot be sent (/logs3) never raise."""
    found: dict[Flow, Loss] = {}
    for flow, routes in sdk.needs.items():
        lacking = next((route for route in routes if route in broken), None)
        if lacking is not None:
            found[flow] = Loss(route=lacking, raises=not flow.is_silent and lacking is not LOGS)
    return found


def consequences(hurt: Mapping[Sdk, Losses]) -> str:
    """What programs live through, SDKs with the same fate together: "with js 3.35.0 Eval() raises, and init_logger()
    and init() lose what they are given without an exception"."""
    fates: dict[str, list[str]] = {}
    for sdk, flows in hurt.items():
        fates.setdefault(_fate(flows), []).append(str(sdk))
    return "; ".join(f"with {enumerated(sdks)} {fate}" for fate, sdks in fates.items())


def _fate(flows: Losses) -> str:
    raising = [flow for flow, loss in flows.items() if loss.raises]
    raising = [flow for flow in raising if not flow.is_rare] or raising
    losing = [flow for flow, loss in flows.items() if not loss.raises]
    losing = [flow for flow in losing if not (flow is Flow.LOGGER_BY_ID and Flow.LOGGER in losing)]
    parts = [f"{enumerated(raising)} {'raises' if len(raising) == 1 else 'raise'}"] if raising else []
    if losing:
        verb = "loses what it is" if len(losing) == 1 else "lose what they are"
        parts.append(f"{enumerated(losing)} {verb} given without an exception")
    return ", and ".join(parts)
