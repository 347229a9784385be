"""What the host knows about itself, and whom it tells."""
