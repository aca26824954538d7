"""CORS as a browser would try it, on every address."""
