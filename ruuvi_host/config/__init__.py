"""What the host is told to do: values, the keys they come from, and where those are found."""
