"""What becomes of each SDK version's calls. Pure."""
