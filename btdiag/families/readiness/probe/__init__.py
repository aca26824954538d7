"""GET / several times, /version, /ping, /status, and what is asked past the load balancer."""
