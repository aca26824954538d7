"""Nothing is asked for telemetry alone: what is judged is what reaching out from here came to."""
