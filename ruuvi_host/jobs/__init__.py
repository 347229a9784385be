"""What a command sets going: each job wires the rooms together for one purpose."""
