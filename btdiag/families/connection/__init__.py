"""Do connections come about on every address: TCP or the proxy, TLS, certificates, clocks?"""
