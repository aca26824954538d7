"""What only browsers meet: rules that they keep and programs do not know, and what a real browser was seen to refuse.

facts      what a handshake as browsers make it comes to, and the lists that browsers go by
causes     what a browser's error code means, at which hop, whose it is and what to change (pure)
judge      rules: scheme, port, certificate and suite without a browser; answers: what a page got in one (pure)
remedy     what to change, at whom
probe      one handshake that offers what browsers offer; the browser itself is driven by the family lna
"""
