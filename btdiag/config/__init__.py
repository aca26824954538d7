"""Profile file, environment and flags become Settings and Targets: what is tested, how, and where the results go."""

from btdiag.config.profile import Waiver
from btdiag.config.settings import Output, Settings, settings
from btdiag.config.targets import lab_target, target
from btdiag.config.values import UsageError

__all__ = ["Output", "Settings", "UsageError", "Waiver", "lab_target", "settings", "target"]
