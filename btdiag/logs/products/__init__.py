"""One module a product: how its lines are read, and what its own words say of a request."""
