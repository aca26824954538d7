"""What the facts mean for each client: pure."""
