"""python -m ruuvi_host"""

import sys


def stop(sentence):  # type: (str) -> None
    # Python 2 has to read this, too.
    sys.stderr.write("Error: " + sentence + "\n")
    raise SystemExit(2)


if sys.version_info < (3, 11):  # noqa: UP036  # a clone: no installer has looked at it
    stop("ruuvi-host needs Python 3.11 or newer, and this is " + sys.version.split()[0])
if not __package__:
    stop("start it as a module, in the folder above: " + sys.executable + " -m ruuvi_host")

from ruuvi_host.cli.main import main  # noqa: E402

main()
