"""The benchmarks of tools/bench.py: each function prepares one, and returns how to run a round."""
