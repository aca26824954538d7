"""Does the backend keep idle connections longer than the load balancer? Proved by arithmetic, or by volleys."""
