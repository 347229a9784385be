"""Delivery to an MQTT broker: a message for each sensor, as a Ruuvi Gateway publishes them."""
