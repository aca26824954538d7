"""The claims of the family: what browsers refuse by rule, and what a real one was seen to refuse. Pure."""
