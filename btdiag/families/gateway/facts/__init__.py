"""What the hops made of requests of every form, of paths, protocols, routes and streams. Frozen."""
