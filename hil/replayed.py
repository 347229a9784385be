"""The rig that plays a recording: what a board once said, on a pseudo-terminal."""

from pathlib import Path

from hil.rig import BareRig, RigError


class ReplayRig(BareRig):
    """--rig replay --capture-file FILE."""

    name = "replay"

    def __init__(self, path: Path) -> None:
        self.what = f"recording {path.name}, no hardware"
        raise RigError("rig replay: not made yet")
