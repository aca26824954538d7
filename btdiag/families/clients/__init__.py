"""Would the product's other clients get through from here: other trust stores, proxies, resolvers, handshakes?"""
