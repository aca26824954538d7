"""Declared against measured: the API's image and origins, and what the front does."""
