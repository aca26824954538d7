"""Idle connections held, and volleys fired at the moment the backend lets go of them."""
