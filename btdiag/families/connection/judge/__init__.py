"""What became of the connections, claim by claim. Pure."""
