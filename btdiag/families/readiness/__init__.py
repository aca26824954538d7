"""Is the API there, on every address, every time, and is it the API that answers?"""
