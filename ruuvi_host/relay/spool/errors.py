"""What can be wrong with the file of a spool, where a plain SpoolError says too little."""

from ruuvi_host.errors import SpoolError


class DiskFullError(SpoolError):
    """There is no room, not even by giving up the ballast."""


class ReadOnlyError(SpoolError):
    """The file system is read-only, as Linux makes one that has failed."""


class DamagedError(SpoolError):
    """The file is not, or no longer, a spool of this version."""
