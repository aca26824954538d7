"""Pure rules: facts in, findings out. No I/O, no clock, no randomness; each file holds its fact types too."""
