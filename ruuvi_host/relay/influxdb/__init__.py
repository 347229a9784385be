"""The kind "influxdb": readings as line protocol, for InfluxDB and what is compatible with it."""
