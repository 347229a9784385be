"""Which rejected connections get a line."""

from ruuvi_host.receiver.examine import refused
from ruuvi_host.receiver.lines import json_line, text_lines
from ruuvi_host.receiver.receipt import Receipt
from ruuvi_host.receiver.rejections import INTERVAL, Rejections


def receipt(reason: str, request: str = "") -> Receipt:
    return Receipt(0.0, "192.0.2.1:5", request, refused(400, reason))


def test_the_first_of_each_reason_and_then_one_at_times() -> None:
    now = 0.0
    rejections = Rejections(lambda: now)
    first, second = receipt("one reason"), receipt("another")
    assert [rejections.due(each) for each in (first, second, first, first, second)] == [
        1,
        1,
        None,
        None,
        None,
    ]
    now = INTERVAL
    assert [rejections.due(each) for each in (first, second, first)] == [3, 2, None]


def test_a_request_has_always_a_line() -> None:
    rejections = Rejections(lambda: 0.0)
    assert [rejections.due(receipt("no batch", "POST /")) for _ in range(3)] == [1, 1, 1]


def test_how_many_there_were_is_told() -> None:
    assert text_lines(receipt("why"), False, 41).endswith("why  (41 such since the last line)")
    assert json_line(receipt("why"), False, 41).count('"count": 41') == 1
    assert "such" not in text_lines(receipt("why"), False)
    assert "count" not in json_line(receipt("why"), False)
