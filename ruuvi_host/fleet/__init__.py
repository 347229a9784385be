"""Many hosts seen as one: the consumer of what they publish by MQTT."""
