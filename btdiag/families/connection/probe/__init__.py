"""Connections made and watched, each under one deadline."""
