"""What the hops do to requests and answers, claim by claim. Pure."""
