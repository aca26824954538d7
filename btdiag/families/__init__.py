"""One folder a family: what is observed (facts, probe), what to do next (plan), what follows (judge, remedy)."""
