"""Faults by the place where they strike: frozen values that a scenario puts together."""
