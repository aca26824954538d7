"""What the hops on the way let through, change and forbid."""
