"""Can the data plane's telemetry leave from here?"""
