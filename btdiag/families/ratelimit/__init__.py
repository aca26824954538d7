"""Was anything answered 429, by whom, and are the limits sound?"""
