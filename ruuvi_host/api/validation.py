"""The parameters of `GET /validate_url`, read and checked. Pure.

Source: ruuvi.gateway_esp.c http_server_cb.c, validate_url.c.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ruuvi_host.api.percent import decoded
from ruuvi_host.config.gateway_keys import AUTH_KINDS, BY_NAME

Parameter = Callable[[str], str | None]
"""The value of a name, as it stands in the query."""
Decrypt = Callable[[str, str, str], str | None]
"""A secret from its encrypted text, initial vector and hash; None: it cannot be read."""


class BadRequestError(Exception):
    """The request is wrong: HTTP status 400."""


class Check(Enum):
    """What can be checked."""

    ADVS = "check_post_advs"
    STAT = "check_post_stat"
    MQTT = "check_mqtt"
    REMOTE = "check_remote_cfg"
    FIRMWARE = "check_fw_update_url"
    FILE = "check_file"


_CUSTOM_SECRETS = {
    "basic": "http_pass",
    "bearer": "http_bearer_token",
    "token": "http_api_key",
    "api_key": "http_api_key",
}
_TOKEN = "remote_cfg_auth_bearer_token"
_SECRETS: dict[Check, dict[str, str]] = {
    Check.ADVS: _CUSTOM_SECRETS,
    Check.STAT: _CUSTOM_SECRETS | {"basic": "http_stat_pass"},
    Check.MQTT: dict.fromkeys(_CUSTOM_SECRETS, "mqtt_pass"),
    Check.REMOTE: dict.fromkeys(_CUSTOM_SECRETS, _TOKEN) | {"basic": "remote_cfg_auth_basic_pass"},
    Check.FIRMWARE: _CUSTOM_SECRETS,
    Check.FILE: _CUSTOM_SECRETS,
}
"""The key that a secret of each kind belongs to; its limit is that of the secret."""
_USERS = {
    Check.STAT: "http_stat_user",
    Check.MQTT: "mqtt_user",
    Check.REMOTE: "remote_cfg_auth_basic_user",
}
_ADDRESSES = {
    Check.ADVS: "http_url",
    Check.STAT: "http_stat_url",
    Check.MQTT: "mqtt_server",
    Check.REMOTE: "remote_cfg_url",
}
"""The key of the address for which a secret is saved. Other checks have no saved one."""
_MQTT = re.compile(r"(?:mqtt|mqtts|mqttws|mqttwss)://[^\s/:?#@\[\]]*:([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be checked."""

    check: Check
    url: str = field(repr=False)
    auth: str
    """One of AUTH_KINDS."""
    user: str = ""
    secret: str | None = field(default=None, repr=False)
    """As it was sent; None: the saved one."""
    client_cert: bool = False
    server_cert: bool = False
    path: bool = False
    query: bool = False
    headers: bool = False
    prefix: str = ""
    """Of the topics at a broker."""
    client_id: str = ""
    """There."""

    @property
    def secret_key(self) -> str:
        """The key that the secret belongs to; empty: there is none."""
        return _SECRETS[self.check].get(self.auth, "")

    @property
    def address_key(self) -> str:
        """The key of the address that is saved; empty: nothing is saved for such a check."""
        return _ADDRESSES.get(self.check, "")

    @property
    def uses_saved(self) -> bool:
        return self.auth != "none" and self.secret is None

    def custom(self) -> dict[str, Any]:
        """The keys of a gateway's own server. Its certificates, and parts that come from files, are
        the saved ones."""
        keys: dict[str, Any] = {
            "http_url": self.url,
            "http_data_format": "ruuvi",
            "http_auth": self.auth,
            "http_use_ssl_client_cert": self.client_cert,
            "http_use_ssl_server_cert": self.server_cert,
            "http_use_extra_http_path": self.path,
            "http_use_extra_http_query": self.query,
            "http_use_extra_http_headers": self.headers,
        }
        if self.auth == "basic":
            keys["http_user"] = self.user
        if self.secret is not None:
            keys[self.secret_key] = self.secret
        return keys

    def statistics(self) -> dict[str, Any]:
        """The keys of statistics, which know only one kind of authentication."""
        basic = self.auth == "basic"
        keys: dict[str, Any] = {
            "http_stat_url": self.url,
            "http_stat_user": self.user if basic else "",
            "http_stat_use_ssl_client_cert": self.client_cert,
            "http_stat_use_ssl_server_cert": self.server_cert,
        }
        if basic and self.secret is not None:
            keys["http_stat_pass"] = self.secret
        return keys


def read(parameter: Parameter, decrypt: Decrypt) -> Wish:
    """Raises BadRequestError."""
    try:
        check = Check(parameter("validate_type"))
    except ValueError:
        raise BadRequestError from None
    url, auth = decoded(parameter("url")), parameter("auth_type")
    if url is None or auth not in AUTH_KINDS:
        raise BadRequestError
    prefix, client_id = "", ""
    if check is Check.MQTT:
        prefix, client_id = _check_mqtt(parameter, url)
    user = decoded(parameter("user")) or ""
    if auth == "basic" and not user:
        raise BadRequestError
    has_user = auth == "basic" or (check is Check.MQTT and auth != "none")
    wish = Wish(
        *(check, url, auth, user if has_user else ""),
        client_cert=parameter("use_ssl_client_cert") == "true",
        server_cert=parameter("use_ssl_server_cert") == "true",
        path=parameter("use_extra_http_path") == "true",
        query=parameter("use_extra_http_query") == "true",
        headers=parameter("use_extra_http_headers") == "true",
        secret=None,
        prefix=prefix,
        client_id=client_id,
    )
    if _is_longer(wish.user, _USERS.get(check, "http_user")):
        raise BadRequestError
    if auth == "none" or (wish.address_key and parameter("use_saved_password") == "true"):
        return wish
    return _with_secret(wish, parameter, decrypt)


def _with_secret(wish: Wish, parameter: Parameter, decrypt: Decrypt) -> Wish:
    """With the one that was sent. Raises BadRequestError."""
    names = ("encrypted_password", "encrypted_password_iv", "encrypted_password_hash")
    sent = [decoded(parameter(name)) for name in names]
    if None in sent:
        raise BadRequestError
    secret = decrypt(*(text or "" for text in sent))
    if secret is None or _is_longer(secret, wish.secret_key):
        raise BadRequestError
    if not secret and wish.auth != "basic":  # a password may be empty
        raise BadRequestError
    return replace(wish, secret=secret)


def _check_mqtt(parameter: Parameter, url: str) -> tuple[str, str]:
    """Prefix and client id. Raises BadRequestError."""
    given = []
    for name, key in (("mqtt_topic_prefix", "mqtt_prefix"), ("mqtt_client_id", "mqtt_client_id")):
        text = decoded(parameter(name))
        if text is None or _is_longer(text, key):
            raise BadRequestError
        given.append(text)
    found = _MQTT.fullmatch(url)
    if not found or not 1 <= int(found[1]) <= 65535:
        raise BadRequestError
    return given[0], given[1]


def _is_longer(text: str, key: str) -> bool:
    limit = BY_NAME[key].limit
    return limit is not None and len(text.encode("utf-8", "replace")) > limit
