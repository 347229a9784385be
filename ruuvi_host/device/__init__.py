"""The serial side: a port, one life of a link on it, and the supervisor of many lives."""
