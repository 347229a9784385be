"""A reading in one line: the values that people want first."""

from ruuvi_host.formats.measurement import Measurement

_SHOWN = (
    ("temperature", "{:.2f} °C"),
    ("humidity", "{:.1f} %RH"),
    ("pressure", "{} Pa"),
    ("co2", "CO2 {:.0f} ppm"),
    ("pm2_5", "PM2.5 {:.1f} µg/m³"),
    ("voc_index", "VOC {:.0f}"),
    ("nox_index", "NOx {:.0f}"),
    ("luminosity", "{:.0f} lx"),
    ("battery_voltage", "{:.2f} V"),
    ("movement_counter", "moved {}"),
    ("motion_detected", "motion"),
    ("presence_detected", "presence"),
    ("low_battery", "battery low"),
    ("calibration_in_progress", "calibrating"),
)


def summary(measurement: Measurement) -> str:
    """What this reading has of the usual values, with units; missing values are left out."""
    values = ((getattr(measurement, name, None), text) for name, text in _SHOWN)
    return "  ".join(
        text.format(value) for value, text in values if value is not None and value is not False
    )
