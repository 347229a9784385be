"""The reference firmware in C, and how it is built; see build.py."""
