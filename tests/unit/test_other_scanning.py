"""Scanning with settings that are not saved: how it begins, and how it ends by itself."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest
from conftest import ManualClock

from firmware_protocol.messages import SetAll
from ruuvi_host.config.coprocessor import CoprocessorSettings
from ruuvi_host.config.load import Loaded, load
from ruuvi_host.config.sources import Inputs
from ruuvi_host.jobs import scanning
from ruuvi_host.jobs.receiving import Receiving
from ruuvi_host.jobs.scanning import OtherScanning
from ruuvi_host.jobs.state import StateDirectory


def loaded(folder: Path, **keys: object) -> Loaded:
    path = folder / "gw_cfg.json"
    path.write_text(json.dumps(keys))
    return load(Inputs(path))


@pytest.mark.parametrize("by", ["time", "change", "other settings"])
def test_it_ends(tmp_path: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = loaded(tmp_path, company_id=5, use_http_ruuvi=False)
    if by == "time":
        monkeypatch.setattr(scanning, "LASTS", 0.0)

    async def main() -> None:
        with closing(StateDirectory.open(tmp_path / "state")) as state:
            port = CoprocessorSettings(str(tmp_path / "not-there"))
            receiving = Receiving([port], saved.config, state, ManualClock())
            other = OtherScanning(receiving)
            told: list[SetAll] = []
            news = asyncio.Event()

            def tell(scan: SetAll) -> None:
                told.append(scan)
                news.set()

            monkeypatch.setattr(receiving, "scan_with", tell)
            other.begin({"Company_Use_Filtering": False, "scan_filter_list": []}, saved)
            assert told == [SetAll(fltr_id=5, fltr_tags=False)], "what is missing is as saved"
            if by == "time":
                news.clear()
                await news.wait()
            elif by == "change":
                other.end()
                other.end()
            else:
                other.forget()
                other.end()
            assert told[1:] == ([] if by == "other settings" else [saved.config.scan])

    asyncio.run(main())


def test_a_second_request_begins_from_what_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = loaded(tmp_path, use_http_ruuvi=False)

    async def main() -> None:
        with closing(StateDirectory.open(tmp_path / "state")) as state:
            port = CoprocessorSettings(str(tmp_path / "not-there"))
            receiving = Receiving([port], saved.config, state, ManualClock())
            told: list[SetAll] = []
            monkeypatch.setattr(receiving, "scan_with", told.append)
            other = OtherScanning(receiving)
            other.begin({"scan_default": False, "scan_coded_phy": True}, saved)
            other.begin({"company_use_filtering": False}, saved)
            other.forget()
        assert told == [SetAll(use_coded_phy=True), SetAll(fltr_tags=False)]

    asyncio.run(main())
