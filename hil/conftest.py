"""Lets `pytest hil` find the plugin."""

pytest_plugins = ("hil.plugin",)
