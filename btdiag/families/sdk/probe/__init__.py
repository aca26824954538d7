"""The calls that SDKs make, and the variables that they read."""
