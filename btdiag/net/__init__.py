"""The only code that touches the network, TLS and clocks. Every read, every wait and every size is bounded here."""
