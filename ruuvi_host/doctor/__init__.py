"""What is wrong, and how to mend it: looks at everything between the port and the server."""
