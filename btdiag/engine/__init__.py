"""One run: collect the checks, measure what they need, judge, and put the report together."""
