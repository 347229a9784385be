"""What every HTTP server of ours is made of: connections with limits, and listening sockets."""
