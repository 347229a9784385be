"""The configuration: values, the keys they come from, and the files that have those."""
