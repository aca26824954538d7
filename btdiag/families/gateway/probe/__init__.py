"""Requests of every form that the product uses, each beside a plain one."""
