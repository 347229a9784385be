"""The kind "file": batches as JSON lines in a folder, for data loggers and for programs that follow
a file."""
