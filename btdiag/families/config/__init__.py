"""Is what configuration files declare in effect on the wire?"""
