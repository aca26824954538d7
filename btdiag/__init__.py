"""Connectivity and load-balancer diagnostics for self-hosted Braintrust data planes."""

__version__ = "0.1.0"
