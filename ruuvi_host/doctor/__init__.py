"""What is wrong, and how to fix it: looks at everything between the port and the server."""
