"""Finished runs of many targets, kept in one SQLite file: what history, comparison and the web page are made from."""
