"""What a test asks of the rig and the board. The plugin skips it, by name, where that cannot be."""

import pytest

needs = pytest.mark.needs
"""@needs("reset", "truth"): abilities (hil.rig.Ability) without which the test makes no sense."""
generation = pytest.mark.generation
"""@generation("2.0.0"): the only firmware that the test is for."""
setup = pytest.mark.setup
"""@setup(watchdog=3.0): how the board must be made; values of hil.rig.Setup."""
