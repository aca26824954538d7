"""The rules: small pure functions from what was read to hits, a module for each kind of question."""
