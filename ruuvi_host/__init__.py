"""ruuvi-host: the host half of a Ruuvi Gateway for any Linux machine.

Kept free of imports, so that `ruuvi-host --version` costs no more than Python itself.
"""

__version__ = "0.1.0"
