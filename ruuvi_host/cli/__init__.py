"""What people type. Each command parses, calls one function of the house, and prints."""
