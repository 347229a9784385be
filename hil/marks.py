"""What a test asks of the rig and the board. The plugin skips it, by name, where that cannot be."""

import pytest

needs = pytest.mark.needs
"""@needs("reset", "truth"): abilities (hil.rig.Ability) without which the test makes no sense."""
generation = pytest.mark.generation
"""@generation("2.0.0"): the only firmware that the test is for."""
with_setup = pytest.mark.setup
"""@with_setup(watchdog=3.0): how the board must be made; values of hil.rig.Setup. pytest 8.0
would take a `setup` of a module for something to be called."""
