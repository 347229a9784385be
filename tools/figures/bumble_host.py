"""bumble's host, scanning: a process for tools/bench.py to look at. "ready": it hears."""

import asyncio
import sys


async def scan(place: str) -> None:
    """Until it is ended. place: host:port of a controller."""
    from bumble import hci
    from bumble.host import Host
    from bumble.transport import open_transport

    async with await open_transport(f"tcp-client:{place}") as way:
        host = Host(way.source, way.sink)
        host.ready = True  # not its own start, which asks for more than scanning needs
        for command in (
            hci.HCI_Reset_Command(),
            hci.HCI_Set_Event_Mask_Command(event_mask=b"\xff" * 7 + b"\x3f"),
            hci.HCI_LE_Set_Event_Mask_Command(le_event_mask=b"\xff\x1f" + bytes(6)),
            hci.HCI_LE_Set_Random_Address_Command(random_address=hci.Address("C1:22:33:44:55:66")),
            hci.HCI_LE_Set_Extended_Scan_Parameters_Command(
                own_address_type=1,
                scanning_filter_policy=0,
                scanning_phys=1,
                scan_types=[0],
                scan_intervals=[160],
                scan_windows=[160],
            ),
            hci.HCI_LE_Set_Extended_Scan_Enable_Command(
                enable=1, filter_duplicates=0, duration=0, period=0
            ),
        ):
            await host.send_sync_command(command, 5.0)
        heard = asyncio.Event()
        host.on("advertising_report", lambda report: heard.set())
        await heard.wait()
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(scan(sys.argv[1]))
    except ModuleNotFoundError as error:
        print(f"no {error.name} here: pip install 'ruuvi-host[bench]'", flush=True)
