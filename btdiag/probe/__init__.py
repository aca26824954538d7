"""Observation: everything that touches the network, a browser or the machine. One file per thing observed."""
