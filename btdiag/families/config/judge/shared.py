"""What every comparison shares: nothing declared, contradictions, facts that are missing."""

from __future__ import annotations

from btdiag.core.finding import Finding, Verdict
from btdiag.core.measurement import NotMeasured
from btdiag.core.target import DeclaredSetting, Target


def declared_settings(target: Target, name: str) -> tuple[DeclaredSetting, ...]:
    """What the files of --config state of one kind."""
    return tuple(setting for setting in target.settings if setting.name == name)


def single(target: Target, name: str) -> DeclaredSetting | Finding:
    """The one value that the files state, or the skip that says why there is none."""
    settings = declared_settings(target, name)
    if not settings:
        return nothing(target, name)
    if len({setting.value for setting in settings}) > 1:
        said = " and ".join(f"{one.value} in {one.where}" for one in settings[:3])
        return Finding(
            verdict=Verdict.SKIP,
            summary=f"{name} is {said}: name the file that is deployed with --config, and nothing else",
        )
    return settings[0]


def nothing(target: Target, name: str) -> Finding:
    """No file says anything of it, or there is none."""
    if not target.settings:
        return Finding(
            verdict=Verdict.SKIP, summary="no file that declares anything was given; to find out: --config PATH"
        )
    return Finding(verdict=Verdict.SKIP, summary=f"no file of --config states {name}")


def unmeasured(missing: NotMeasured) -> Finding:
    """The finding where the other side of the comparison is missing."""
    if missing.by is not None:
        return Finding(verdict=Verdict.SKIP, summary=missing.reason, because=missing.by)
    verdict = Verdict.SKIP if missing.skipped else Verdict.INCONCLUSIVE
    return Finding(verdict=verdict, summary=missing.reason)
