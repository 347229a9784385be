"""A gateway's configuration: all its keys with their present values, updated and written as a
gateway does it.

As there, a missing key keeps its value, and so does one of the wrong type. Where the gateway is
silent there is a Problem.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from ruuvi_host.config.belongs import unknown_key
from ruuvi_host.config.gateway_keys import (
    BACK_TO_DEFAULT,
    BY_NAME,
    CREDENTIALS,
    CUSTOM_KEYS,
    FACTS,
    GATEWAY_KEYS,
    LAN_PASSWORD_KINDS,
    OLD_NAME,
    REMOTE_CREDENTIALS,
    RUUVI_CLOUD_URL,
    SCAN_KEYS,
    SHOWN_ONLY,
    GatewayKey,
    Kind,
)
from ruuvi_host.config.gateway_values import MISSING, read_value
from ruuvi_host.config.problems import Problems, Severity, meant
from ruuvi_host.config.targets import DEFAULT_PERIOD, MAX_PERIOD

Values = dict[str, Any]

SHORTEST_POLITE_PERIOD = 10
"""Seconds. A gateway's own page offers no less."""

_ADDRESSES = {"http_url": "use_http", "http_stat_url": "use_http_stat"}
"""Where data goes, perhaps with secrets, while that key is true."""

_READ_ONLY_WITH: dict[str, Callable[[Values], bool]] = {
    "http_stat_use_ssl_client_cert": lambda v: v["use_http_stat"],
    "http_stat_use_ssl_server_cert": lambda v: v["use_http_stat"],
    "mqtt_use_ssl_client_cert": lambda v: v["use_mqtt"],
    "mqtt_use_ssl_server_cert": lambda v: v["use_mqtt"],
    "ntp_use_dhcp": lambda v: v["ntp_use"],
    **dict.fromkeys(
        ("ntp_server1", "ntp_server2", "ntp_server3", "ntp_server4"),
        lambda v: v["ntp_use"] and not v["ntp_use_dhcp"],
    ),
}


class GatewayConfig:
    """The keys and their values; `origins` has the source of each value."""

    def __init__(self) -> None:
        self.values: Values = {key.name: deepcopy(key.default) for key in GATEWAY_KEYS}
        self.origins: dict[str, str] = dict.fromkeys(BY_NAME, "default")
        self.own: set[str] = set()
        """Keys that our user gave, not a gateway's file: what is wrong with them is an error."""
        self.unknown: Values = {}
        """Keys that we do not know, of newer firmware perhaps: kept for writing."""
        self.unreadable: set[str] = set()
        """Keys that were given last with a value that cannot be read."""
        self.is_cloud_by_address = False
        """`use_http` was set, and its address means Ruuvi Cloud."""
        self._meant: Values = {}
        """The switches as our user set them, as long as the default address changes their sense."""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def switch_off(self) -> None:
        """Without a gateway's file nothing is sent until it is asked for."""
        for name in ("use_http_ruuvi", "use_http", "use_http_stat"):
            self.values[name] = False

    def update(
        self,
        document: Mapping[str, Any],
        problems: Problems,
        *,
        own: bool = False,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """Take over what `document` says.

        own: it is not a gateway's file but our user's own words, so that what cannot be used is
        an error, and what is missing keeps its value without exception.
        sources: where each key comes from, if that is not the source of `problems` for all.
        """
        severity = Severity.ERROR if own else Severity.WARNING
        if own:  # the address may come from another source than the switch
            self.values |= self._meant
        self._meant = {}
        before = dict(self.values)
        given = self._given(document, problems, severity, own=own)
        self._take(given, before, problems, own=own, sources=sources or {})
        if not own:
            for name in BACK_TO_DEFAULT:
                if not isinstance(given.get(name), str):
                    self.values[name] = BY_NAME[name].default
                    self.origins[name] = "default"
        self._settle_lan(before)
        self._settle_scan(document, given)
        self._settle_period(problems)
        if not self.values["ntp_use"]:
            self.values["ntp_use_dhcp"] = False
        self.is_cloud_by_address = self._is_cloud() or (
            self.is_cloud_by_address and not given.keys() & {"use_http", "http_url", "http_auth"}
        )
        if self._is_cloud():
            # How firmware that knew only one target wrote "Ruuvi's cloud".
            if own:
                self._meant = {name: self.values[name] for name in ("use_http_ruuvi", "use_http")}
            self.values |= {"use_http_ruuvi": True, "use_http": False}

    @property
    def lacks_address(self) -> bool:
        """Our user wants a server of their own, and does not say which."""
        return bool(self._meant) and "use_http" in self.own and "http_url" not in self.own

    def document(self) -> Values:
        """What a gateway saves, secrets included."""
        values = dict(self.values)
        if values["use_http_ruuvi"] and not values["use_http"]:
            values |= {name: BY_NAME[name].default for name in CUSTOM_KEYS}
            values["use_http"] = True
        unused = {name for names in CREDENTIALS.values() for name in names}
        unused |= {name for names in REMOTE_CREDENTIALS.values() for name in names}
        unused -= {*CREDENTIALS[values["http_auth"]]}
        unused -= {*REMOTE_CREDENTIALS[values["remote_cfg_auth_type"]]}
        if values["lan_auth_type"] not in LAN_PASSWORD_KINDS:
            unused.add("lan_auth_pass")  # there is none, or it follows from the device id
        written = {key.name: values[key.name] for key in GATEWAY_KEYS if key.name not in unused}
        return deepcopy(written) | self.unknown

    def _given(
        self, document: Mapping[str, Any], problems: Problems, severity: Severity, *, own: bool
    ) -> Values:
        """The keys of `document` that we know. Of those we do not, each is a problem."""
        given: Values = {}
        for name, value in document.items():
            known = name if own or name in BY_NAME else name.lower()
            if known in BY_NAME:
                if known != name:  # a gateway does not look at the case
                    problems.add(name, f"is written {known}", "taken all the same")
                given.setdefault(known, value)
            elif name not in FACTS and name not in SHOWN_ONLY and name != OLD_NAME:
                self.unknown |= _writable({name: value})
                if not problems.is_full(severity):
                    why = (
                        unknown_key(name, BY_NAME) if own else "unknown key" + meant(name, BY_NAME)
                    )
                    instead = "ignored" if severity is Severity.WARNING else ""
                    problems.add(name, why, instead, severity=severity)
        if OLD_NAME in document and "scan_2mbit_phy" not in given:
            given["scan_2mbit_phy"] = document[OLD_NAME]
        return given

    def _take(
        self,
        given: Values,
        before: Values,
        problems: Problems,
        *,
        own: bool,
        sources: Mapping[str, str],
    ) -> None:
        severity = Severity.ERROR if own else Severity.WARNING
        values = self.values
        source = problems.source
        for key in GATEWAY_KEYS:  # in this order: a secret stands behind what decides on it
            name = key.name
            if name == "http_user" and values["http_auth"] != before["http_auth"]:
                # The gateway keeps all kinds of secrets in one place; a new kind begins without.
                values |= dict.fromkeys(CREDENTIALS["basic"], "")
                values |= {"http_bearer_token": "", "http_api_key": ""}
            if (
                name == "remote_cfg_auth_basic_user"
                and values["remote_cfg_auth_type"] != before["remote_cfg_auth_type"]
            ):
                for names in REMOTE_CREDENTIALS.values():
                    values |= dict.fromkeys(names, "")
            if name not in given:
                continue
            problems.source = sources.get(name, source)
            why = self._why_not_read(key, given)
            if why:
                if given[name] != values[name] if own else _is_lost(key, given):
                    problems.add(name, why, "ignored")
                continue
            value = read_value(key, given[name], problems, severity)
            is_read = value is not MISSING and (not key.choices or given[name] in key.choices)
            (self.unreadable.discard if is_read else self.unreadable.add)(name)
            if value is MISSING and key.closed is not None:
                value = key.closed
            if key.kind is Kind.OBJECT and value is not MISSING:
                value = self._object(key, value, problems, severity)
            elif value is MISSING and values[name] == key.default:
                switch = _ADDRESSES.get(name)
                if switch and values[switch]:
                    value = ""  # never the address of someone else in its place
            if value is not MISSING:
                values[name] = value
                self.origins[name] = problems.source
                (self.own.add if own else self.own.discard)(name)
        problems.source = source

    def _object(
        self, key: GatewayKey, value: Values, problems: Problems, severity: Severity
    ) -> Values:
        merged = dict(self.values[key.name])
        members = {member.name: member for member in key.members}
        for name, inner in value.items():
            member = members.get(name)
            taken = read_value(member, inner, problems, severity) if member else inner
            if taken is not MISSING:
                merged[name] = taken
        return merged

    def _why_not_read(self, key: GatewayKey, given: Values) -> str:
        """Why the gateway would not look at this key; empty: it does."""
        values, name = self.values, key.name
        if name in ("http_user", "http_pass", "http_bearer_token", "http_api_key"):
            if not values["use_http"]:
                return "read only with use_http true"
            if name not in CREDENTIALS[values["http_auth"]]:
                if "http_auth" not in given and values["http_auth"] == "none":
                    return "is not sent without http_auth, as in files from before firmware 1.14"
                return f"does not belong to http_auth {values['http_auth']}"
        has_lan_type = isinstance(given.get("lan_auth_type"), str)
        if name in ("lan_auth_user", "lan_auth_pass") and not has_lan_type:
            return "read only together with lan_auth_type"
        condition = _READ_ONLY_WITH.get(name)
        return "" if condition is None or condition(values) else "not read with these settings"

    def _settle_lan(self, before: Values) -> None:
        values = self.values
        # The default password follows from the device id; here it is "", or one that was saved.
        had_default = before["lan_auth_type"] == "lan_auth_default"
        default_passwords = {"", before["lan_auth_pass"]} if had_default else {""}
        if (
            values["lan_auth_type"] == "lan_auth_ruuvi"
            and values["lan_auth_user"] == BY_NAME["lan_auth_user"].default
            and values["lan_auth_pass"] in default_passwords
        ):
            values["lan_auth_type"] = "lan_auth_default"
        kind = values["lan_auth_type"]
        if kind in ("lan_auth_allow", "lan_auth_deny"):
            values |= {"lan_auth_user": "", "lan_auth_pass": ""}
        elif kind == "lan_auth_default":
            values["lan_auth_user"] = BY_NAME["lan_auth_user"].default
            is_old = values["lan_auth_pass"] == before["lan_auth_pass"]
            if before["lan_auth_type"] != kind and is_old:
                values["lan_auth_pass"] = ""  # the default one follows from the device id

    def _settle_scan(self, document: Mapping[str, Any], given: Values) -> None:
        """Without scan_default the given keys count: that is what the writer of the file meant."""
        defaults = {name: BY_NAME[name].default for name in SCAN_KEYS}
        told = given.keys() & set(SCAN_KEYS) - self.unreadable
        if told and not isinstance(given.get("scan_default"), bool):
            self.values["scan_default"] = all(self.values[n] == d for n, d in defaults.items())
        if self.values["scan_default"]:
            self.values |= defaults

    def _settle_period(self, problems: Problems) -> None:
        period = self.values["http_period"]
        severity = Severity.ERROR if "http_period" in self.own else Severity.WARNING
        if period == 0:
            self.values["http_period"] = DEFAULT_PERIOD
            instead = f"taking {DEFAULT_PERIOD} s"
            problems.add("http_period", "0 is no period", instead, severity=severity, value=0)
        elif period > MAX_PERIOD:
            self.values["http_period"] = MAX_PERIOD
            why, instead = f"more than {MAX_PERIOD} s", f"taking {MAX_PERIOD} s"
            problems.add("http_period", why, instead, severity=severity, value=period)

    def _is_cloud(self) -> bool:
        values = self.values
        custom = (values["http_url"], values["http_data_format"], values["http_auth"])
        return bool(values["use_http"]) and custom == (RUUVI_CLOUD_URL, "ruuvi", "none")


def _is_lost(key: GatewayKey, given: Values) -> bool:
    """Is it a credential of a file that does not say what it is for? The gateway would not read it,
    and its writer may think that it is sent."""
    kind = "lan_auth_type" if key.name.startswith("lan_") else "http_auth"
    is_credential = key.secret or key.name == "http_user"
    return is_credential and bool(given[key.name]) and kind not in given


def _writable(document: Values) -> Values:
    """As it will be read again: JSON can hold halves of characters, and UTF-8 cannot."""
    text = json.dumps(document, ensure_ascii=False)
    written: Values = json.loads(text.encode("utf-8", "replace"))
    return written
