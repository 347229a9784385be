"""Whatever stands in the query of a check: it is understood, or refused."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from ruuvi_host.api.percent import decoded
from ruuvi_host.api.query import parameter
from ruuvi_host.api.validation import BadRequestError, Check, Wish, read
from ruuvi_host.config.gateway_keys import AUTH_KINDS, BY_NAME

NAMES = (
    *("validate_type", "url", "auth_type", "user", "use_saved_password"),
    *("encrypted_password", "encrypted_password_iv", "encrypted_password_hash"),
    *("use_ssl_client_cert", "use_extra_http_path", "mqtt_topic_prefix", "mqtt_client_id"),
)
WORDS = (*(check.value for check in Check), *AUTH_KINDS, "true", "mqtt://a:1", "http://a/", "%zz")
PAIRS = st.tuples(st.sampled_from(NAMES), st.sampled_from(WORDS) | st.text(max_size=60))


@given(st.text())
def test_what_is_encoded_is_decoded(text: str) -> None:
    expected = None if "\0" in text else text
    assert decoded(quote(text, safe="", errors="replace")) == expected


@given(st.binary())
def test_any_octets_are_a_text_or_nothing(octets: bytes) -> None:
    text = decoded(octets.decode("latin-1"))
    assert text is None or isinstance(text.encode(), bytes)


@given(st.lists(PAIRS, max_size=16), st.none() | st.text(max_size=300))
def test_a_query_is_understood_or_refused(pairs: list[tuple[str, str]], secret: str | None) -> None:
    query = "&".join(f"{n}={quote(v, safe='%', errors='replace')}" for n, v in pairs).encode()

    def understood() -> Wish | None:
        try:
            return read(lambda name: parameter(query, name), lambda *sent: secret)
        except BadRequestError:
            return None

    wish = understood()
    if wish is None:
        return
    assert wish.auth in AUTH_KINDS
    assert len(wish.user.encode("utf-8", "replace")) <= 128
    if wish.auth == "none":
        assert wish.secret is None
    elif wish.secret is None:  # the saved one, of a target that has one
        assert wish.address_key
    else:
        limit = BY_NAME[wish.secret_key].limit
        assert limit
        assert len(wish.secret.encode("utf-8", "replace")) <= limit
        assert len(wish.secret) < 8 or wish.secret not in repr(wish)
    for keys in (wish.custom(), wish.statistics()):
        assert keys.keys() <= BY_NAME.keys()
