"""What is in the file of a spool, for tests that expect all of it to be readable."""

from pathlib import Path

from ruuvi_host.relay.spool.reading import entries
from ruuvi_host.relay.spool.values import Entry


def rows(path: Path) -> list[Entry]:
    found = list(entries(path))
    whole = [each for each in found if isinstance(each, Entry)]
    assert len(whole) == len(found), "some cannot be read"
    return whole
