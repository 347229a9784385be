"""A Bluetooth world that others have written: bumble's controllers, on one virtual radio link.

Its reservations: no PHY, no coded, RSSI always -50, and each advertisement twice, the second time
as a scan response, also when the scan is passive.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import pytest

hci: Any = pytest.importorskip("bumble.hci", reason="bumble is an extra: test")
controller: Any = pytest.importorskip("bumble.controller")
link: Any = pytest.importorskip("bumble.link")
tcp_server: Any = pytest.importorskip("bumble.transport.tcp_server")

NOBODY = "00:00:00:00:00:00"
SCANNER = "C0:48:43:49:00:02"
INTERVAL = 0xA0
"""100 ms."""


class BumbleWorld:
    """A context manager: at `transport` a host finds a controller that hears the tags.

    tags: address, data, and whether it advertises the extended way.
    """

    def __init__(self, tags: Sequence[tuple[str, bytes, bool]]) -> None:
        self.transport = ""
        self._tags = tags
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bumble", daemon=True)
        self._keep: list[Any] = []

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(20)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        radio = link.LocalLink()
        listener = socket.create_server(("127.0.0.1", 0))
        self.transport = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        way = await tcp_server.open_tcp_server_transport_with_socket(listener)
        scanner = controller.Controller(
            "scanner",
            host_source=way.source,
            host_sink=way.sink,
            link=radio,
            public_address=SCANNER,
        )
        self._keep += [way, scanner]
        for address, data, is_extended in self._tags:
            tag = controller.Controller(address, link=radio)
            self._keep.append(tag)
            for command in (extended if is_extended else legacy)(address, data):
                tag.on_hci_command_packet(command)

    async def _close(self) -> None:
        way = self._keep[0]
        way.server.close()
        if way.sink.transport:
            way.sink.transport.abort()  # the host may have left bytes unread
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def legacy(address: str, data: bytes) -> list[Any]:
    """Connectable: others bumble never sends."""
    return [
        hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address(address)),
        hci.HCI_LE_Set_Advertising_Parameters_Command(
            advertising_interval_min=INTERVAL,
            advertising_interval_max=INTERVAL,
            advertising_type=0,
            own_address_type=1,
            peer_address_type=0,
            peer_address=hci.Address(NOBODY),
            advertising_channel_map=7,
            advertising_filter_policy=0,
        ),
        hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=data),
        hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
    ]


def extended(address: str, data: bytes) -> list[Any]:
    """One set."""
    return [
        hci.HCI_LE_Set_Extended_Advertising_Parameters_Command(
            advertising_handle=1,
            advertising_event_properties=0,
            primary_advertising_interval_min=INTERVAL,
            primary_advertising_interval_max=INTERVAL,
            primary_advertising_channel_map=7,
            own_address_type=1,
            peer_address_type=0,
            peer_address=hci.Address(NOBODY),
            advertising_filter_policy=0,
            advertising_tx_power=0,
            primary_advertising_phy=1,
            secondary_advertising_max_skip=0,
            secondary_advertising_phy=1,
            advertising_sid=0,
            scan_request_notification_enable=0,
        ),
        hci.HCI_LE_Set_Advertising_Set_Random_Address_Command(
            advertising_handle=1, random_address=hci.Address(address)
        ),
        hci.HCI_LE_Set_Extended_Advertising_Data_Command(
            advertising_handle=1, operation=3, fragment_preference=0, advertising_data=data
        ),
        hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
            enable=1,
            advertising_handles=[1],
            durations=[0],
            max_extended_advertising_events=[0],
        ),
    ]
