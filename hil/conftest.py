"""Lets pytest find the plugin: of `hil` in a source tree, of `ruuvi_host.hil` when installed."""

pytest_plugins = tuple(f"{__package__}.{name}" for name in ("options", "reporting", "plugin"))
