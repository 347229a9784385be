"""The gateway's local API, and the page of settings."""
