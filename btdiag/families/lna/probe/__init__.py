"""A real browser with a page of the true origin, in a process of its own."""
