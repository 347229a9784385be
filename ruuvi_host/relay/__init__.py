"""The network side: a queue, an encoder and a sink for each target."""
