"""What the trials in a real browser mean. Pure."""
