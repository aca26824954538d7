"""Does the name resolve, for everybody alike, to addresses that can be connected to?"""
