"""Nothing is measured for the rules: URLs, and what other families have seen, decide them."""
