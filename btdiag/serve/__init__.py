"""Many targets, watched: a Prometheus exporter, scheduled runs, and a page of what became of each."""
