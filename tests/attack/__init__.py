"""Servers that mean harm, as data: what they do, and what a sound report says of it."""
