"""What to say of each cause, and the configuration to copy."""
