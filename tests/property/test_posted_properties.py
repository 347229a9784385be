"""What GET /ruuvi.json shows can be posted back, and changes nothing, whatever is in the file, and
whatever is fixed elsewhere."""

from copy import deepcopy
from typing import Any

from hypothesis import assume, example, given
from hypothesis import strategies as st
from test_gateway_config_properties import documents

from firmware_protocol.messages import DeviceId
from ruuvi_host.api.door import Identity
from ruuvi_host.api.gateway_document import shown
from ruuvi_host.config.files import parse_json
from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.posted import after_post, posted, without_fixed
from ruuvi_host.config.problems import Problems

IDENTITY = Identity(DeviceId(bytes(8), bytes([1] * 6)), "v1.2.3", "v1.0.0")


@given(st.lists(documents(), max_size=2), st.none() | documents())
@example([{"scan_default": False}], {"scan_coded_phy": None})  # no value says nothing of scanning
def test_what_is_shown_is_no_wish(
    given_documents: list[dict[str, Any]], own: dict[str, Any] | None
) -> None:
    written = GatewayConfig()
    for document in given_documents:
        written.update(document, Problems())
    saved = GatewayConfig()
    saved.update(written.document(), Problems())
    assume(not saved.unreadable)  # such a file is not written anew
    effective = deepcopy(saved)
    if own is not None:
        effective.update(own, Problems(source="--set"), own=True)
    back = parse_json(shown(effective, IDENTITY, ()), Problems())
    keys = without_fixed(posted(back, Problems(), IDENTITY.mac), saved, effective)
    before = saved.document()
    after_post(saved, keys, Problems(), source="")
    assert saved.document() == before
