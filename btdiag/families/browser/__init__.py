"""What only browsers meet: rules that they keep and programs do not know, judged without a browser.

facts      what a handshake as browsers make it comes to, and the lists that browsers go by
judge      scheme, port, certificate and cipher suite as a browser sees them (pure)
remedy     what to change, at whom
probe      one handshake that offers what browsers offer
"""
