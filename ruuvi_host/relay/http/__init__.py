"""Delivery by HTTP(S), as the Ruuvi Gateway does it."""
