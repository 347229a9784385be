"""What a coprocessor on a pty was told by its host, in words."""

from firmware_protocol.messages import SetAll


def told_settings(settings: SetAll) -> str:
    """Half a sentence: what it scans, and what it lets pass."""
    phys = {
        "1M": settings.use_1m_phy,
        "2M": settings.use_2m_phy,
        "Coded": settings.use_coded_phy,
    }
    channels = {"37": settings.ch_37, "38": settings.ch_38, "39": settings.ch_39}
    scanned = " and ".join(
        f"{name} {' '.join(key for key, enabled in table.items() if enabled) or 'none'}"
        for name, table in (("PHY", phys), ("channels", channels))
    )
    company = f"only company 0x{settings.fltr_id:04X}" if settings.fltr_tags else "every company"
    limit = f"up to {settings.max_adv_len} bytes" if settings.max_adv_len else "of any length"
    return f"{scanned}, {company}, {limit}"
