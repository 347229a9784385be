"""What Linux tells: files as the kernel writes them, and none."""

from pathlib import Path

import pytest

from ruuvi_host.monitoring.machine import (
    RouteWatch,
    boot_id,
    default_route,
    is_wireless,
    memory_available,
)

V4_HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
V4_ETH = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
V4_WLAN = "wlan0\t00000000\t010200C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
V4_LOCAL = "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
V4_DOWN = "eth1\t00000000\t010200C0\t0002\t0\t0\t0\t00000000\t0\t0\t0\n"
ZERO = "0" * 32
V6_HOP = "fe8000000000000000000000000000ab"
V6_WLAN = f"{ZERO} 00 {ZERO} 00 {V6_HOP} 00000400 00000001 00000000 00450003    wlan0\n"
V6_NONE = f"{ZERO} 00 {ZERO} 00 {ZERO} ffffffff 00000001 00000000 00200200       lo\n"


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_this_machine() -> None:
    assert memory_available() > 1_000_000
    assert len(boot_id()) == 36
    default_route()


def test_memory(tmp_path: Path) -> None:
    assert memory_available(tmp_path) == 0
    write(tmp_path, "proc/meminfo", "MemTotal:       99 kB\nMemAvailable:       10 kB\n")
    assert memory_available(tmp_path) == 10240
    write(tmp_path, "proc/meminfo", "MemAvailable:   24260024 kB\n")
    assert memory_available(tmp_path) == 4294967295
    assert memory_available(tmp_path, most=None) == 24260024 * 1024
    write(tmp_path, "proc/meminfo", "MemAvailable:\n")
    assert memory_available(tmp_path) == 0


def test_boot_id(tmp_path: Path) -> None:
    assert boot_id(tmp_path) == ""
    write(tmp_path, "proc/sys/kernel/random/boot_id", "c34877b8\n")
    assert boot_id(tmp_path) == "c34877b8"


@pytest.mark.parametrize(
    ("v4", "v6", "device"),
    [
        ("", "", None),
        (V4_HEAD + V4_ETH, "", "eth0"),
        (V4_HEAD + V4_WLAN + V4_ETH, "", "eth0"),
        (V4_HEAD + V4_LOCAL, V6_NONE, None),
        (V4_HEAD + V4_DOWN + V4_WLAN, "", "wlan0"),
        (V4_HEAD, V6_NONE + V6_WLAN, "wlan0"),
        (V4_HEAD + "nonsense\n", "nonsense\n", None),
    ],
)
def test_the_default_route(tmp_path: Path, v4: str, v6: str, device: str | None) -> None:
    write(tmp_path, "proc/net/route", v4)
    write(tmp_path, "proc/net/ipv6_route", v6)
    assert default_route(tmp_path) == device


def test_losses_are_counted_and_the_kind_of_network_is_remembered(tmp_path: Path) -> None:
    watch = RouteWatch(tmp_path)
    watch.look()
    assert (watch.losses, watch.wireless) == (0, False)  # it was never there
    write(tmp_path, "proc/net/route", V4_HEAD + V4_WLAN)
    (tmp_path / "sys/class/net/wlan0/phy80211").mkdir(parents=True)
    watch.look()
    assert (watch.losses, watch.wireless) == (0, True)
    write(tmp_path, "proc/net/route", V4_HEAD)
    watch.look()
    watch.look()
    assert (watch.losses, watch.wireless) == (1, True)
    write(tmp_path, "proc/net/route", V4_HEAD + V4_ETH)
    watch.look()
    assert (watch.losses, watch.wireless) == (1, False)


def test_wireless(tmp_path: Path) -> None:
    (tmp_path / "sys/class/net/eth0").mkdir(parents=True)
    (tmp_path / "sys/class/net/wlp2s0/wireless").mkdir(parents=True)
    assert not is_wireless("eth0", tmp_path)
    assert is_wireless("wlp2s0", tmp_path)
    assert not is_wireless("gone", tmp_path)
