"""Would SDKs that are constrained to the data plane work, version by version?"""
