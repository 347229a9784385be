"""python -m ruuvi_host"""

from ruuvi_host.cli.main import main

main()
