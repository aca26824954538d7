"""How a host is kept from being reached, and by whom. Pure."""
