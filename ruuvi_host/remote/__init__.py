"""A configuration that is fetched from a server: how it is fetched, judged, tried and given up."""
