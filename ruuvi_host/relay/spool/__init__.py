"""The queue of a relay: durable, bounded, the oldest leave."""
