"""One archive for the report of a fault: all that explains it, and nothing that is private."""
