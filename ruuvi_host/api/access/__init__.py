"""Who may ask the local API: decisions only, with the time as an argument."""
