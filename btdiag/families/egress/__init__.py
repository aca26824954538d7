"""May this place reach the hosts that it needs, and only those, with TLS left alone?"""
