"""What the answers to GET / and beside it mean. Pure."""
