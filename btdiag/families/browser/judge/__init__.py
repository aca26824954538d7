"""Pure judgements of the family."""
