"""Hardware in the loop: one suite for a simulator, an emulated chip and a real board.

    pytest hil                                        the simulator
    pytest hil --rig qemu                             the reference firmware on an emulated chip
    pytest hil --rig serial --port /dev/ttyACM0       a board

A pytest plugin (`plugin`), rigs (`rig` and what stands beside it), the tests, and the firmware.
"""
