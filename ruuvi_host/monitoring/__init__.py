"""What the host knows about itself: counters, health, status; and systemd, which watches it."""
