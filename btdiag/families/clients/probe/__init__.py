"""What this machine sets for its programs, and the few connections that tell what they would meet."""
