"""From the keys to the values that the rest of the program uses."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from firmware_protocol.messages import SetAll, address_text
from ruuvi_host.config.addresses import basic_authorization, check_url, split_user
from ruuvi_host.config.advice import advise
from ruuvi_host.config.api import ApiSettings, parse_listen, parse_names, parse_proxies
from ruuvi_host.config.gateway_config import SHORTEST_POLITE_PERIOD, GatewayConfig
from ruuvi_host.config.gateway_keys import CREDENTIALS, REMOTE_CREDENTIALS, RUUVI_CLOUD_URL
from ruuvi_host.config.host_values import HostValues
from ruuvi_host.config.model import Config, FilterSettings, Profile
from ruuvi_host.config.mqtt import (
    gateway_target,
    look_at_discovery,
    look_at_shared_brokers,
    look_at_unused,
    looked_at,
)
from ruuvi_host.config.problems import Problems, Severity
from ruuvi_host.config.remote import PINNED, PUBLIC_KEY, RemoteSettings
from ruuvi_host.config.remote_checks import look_at_remote
from ruuvi_host.config.sensor_tables import SENSORS
from ruuvi_host.config.sources import Sources
from ruuvi_host.config.spool import MIB, SpoolSettings, Sync
from ruuvi_host.config.targets import (
    CUSTOM,
    RUUVI,
    STATISTICS,
    Authorization,
    DataFormat,
    ExtraFiles,
    HttpTarget,
    InfluxTarget,
    MqttTarget,
    Target,
    TlsFiles,
)
from ruuvi_host.errors import ConfigError
from ruuvi_host.logs import printable

MAX_FILTER_ADDRESSES = 100

_ADDRESS = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")
_SEMANTIC_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?")


def build(sources: Sources) -> Config:
    """The configuration. What is wrong with it is added to the sources' problems."""
    gateway, host, problems = sources.gateway, sources.host, sources.problems
    advise(gateway, problems, api=bool(host["api.listen"]))
    profile = Profile(host["profile"])
    max_sensors = host["max_sensors"]
    if profile is Profile.GATEWAY and max_sensors != 100:
        problems.add("max_sensors", "is 100 in profile gateway", "taking 100", value=max_sensors)
        max_sensors = 100
    version = host["nrf_firmware"]
    if version and not _SEMANTIC_VERSION.fullmatch(version):
        why = "must be a version such as v2.0.0"
        problems.add("nrf_firmware", why, severity=Severity.ERROR, value=version)
    look_at_remote(gateway, host, problems)
    builder = _Targets(sources)
    config = Config(
        scan=scan_settings(gateway, problems),
        filter=_filter(gateway, problems),
        use_timestamps=gateway["ntp_use"],
        coordinates=gateway["coordinates"],
        targets=(*builder.targets(), *_own_targets(sources)),
        statistics=builder.statistics() if gateway["use_http_stat"] else None,
        profile=profile,
        spool=SpoolSettings(
            max_bytes=host["spool.max_mib"] * MIB,
            max_age=86400.0 * host["spool.max_age_days"],
            sync=Sync(host["spool.sync"]),
            drain_rate=host["spool.drain_rate"],
        ),
        max_sensors=max_sensors,
        trust_clock=host["trust_clock"],
        signed_tx_power=host["signed_tx_power"],
        nrf_firmware=version,
        network_watchdog=60.0 * host["watchdog.network_minutes"],
        exit_by_watchdog=host["watchdog.exit"],
        coprocessors=tuple(host.arrays["coprocessor"].made(problems)),
        api=_api(host, problems),
        sensors=tuple(host.sensors.made(problems)),
        remote=builder.remote() if gateway["remote_cfg_use"] else None,
    )
    look_at_discovery(config.targets, problems)
    look_at_shared_brokers(config.targets, problems)
    _check_that_they_pass(config, sources)
    faults = tuple(str(p) for p in problems.found if p.severity is Severity.FAULT)
    return replace(config, faults=faults)


def target_of(sources: Sources, name: str) -> HttpTarget | None:
    """One of a gateway's own targets by its name, as if it were switched on. None: it cannot work,
    and the sources' problems say why."""
    builder = _Targets(sources)
    make = {RUUVI: builder.ruuvi, CUSTOM: builder.custom, STATISTICS: builder.statistics}[name]
    return make()


def _own_targets(sources: Sources) -> Iterator[Target]:
    """Those of tables [[target]]; without one that needs times where there are none."""
    problems = sources.problems
    for target in sources.host.arrays["target"].made(problems, sources.path):
        if isinstance(target, InfluxTarget) and not sources.gateway["ntp_use"]:
            why = "a database needs times, and with ntp_use false readings have none"
            instead = "set ntp_use to true, or remove this target"
            where = f"target.{target.name}"
            problems.add(where, why, instead, severity=Severity.FAULT, source="")
        elif isinstance(target, MqttTarget):
            yield looked_at(target, problems, timed=sources.gateway["ntp_use"])
        else:
            yield target


def _api(host: HostValues, problems: Problems) -> ApiSettings | None:
    try:  # What is wrong is told while the API is off, too.
        names, proxies = parse_names(host["api.names"]), parse_proxies(host["api.proxies"])
        if not host["api.listen"]:
            return None
        listen = parse_listen(host["api.listen"])
        return ApiSettings(listen, names, proxies, host["api.check_local"], host["api.announce"])
    except ConfigError as error:
        origin = host.origins[error.key]
        problems.add(error.key, error.problem, severity=Severity.ERROR, source=origin)
        return None


def scan_settings(gateway: GatewayConfig, problems: Problems) -> SetAll:
    """What a coprocessor is told to receive."""
    scan = SetAll(
        fltr_id=gateway["company_id"],
        fltr_tags=gateway["company_use_filtering"],
        use_coded_phy=gateway["scan_coded_phy"],
        use_1m_phy=gateway["scan_1mbit_phy"],
        use_2m_phy=gateway["scan_2mbit_phy"],
        ch_37=gateway["scan_channel_37"],
        ch_38=gateway["scan_channel_38"],
        ch_39=gateway["scan_channel_39"],
    )
    if not (scan.use_1m_phy or scan.use_2m_phy or scan.use_coded_phy):
        problems.add("scan_1mbit_phy", "no PHY is enabled; nothing will be received")
    elif not scan.use_1m_phy:
        problems.add(
            "scan_1mbit_phy",
            "off, so legacy advertisements, as of most sensors, are not received",
        )
    if not (scan.ch_37 or scan.ch_38 or scan.ch_39):
        problems.add("scan_channel_37", "no channel is enabled; nothing will be received")
    if scan.fltr_tags and scan.fltr_id != SetAll().fltr_id:
        problems.add(
            "company_id", "not Ruuvi's, so RuuviTags do not pass the filter", value=scan.fltr_id
        )
    return scan


def _filter(gateway: GatewayConfig, problems: Problems) -> FilterSettings:
    """What cannot be read opens nothing: it is an error in our user's own words; in a gateway's
    file, which never stops the host, an allow list in which nothing can be read passes nothing."""
    key, switch = "scan_filter_list", "scan_filter_allow_listed"
    listed, allow = gateway[key], gateway[switch]
    not_known = gateway.unreadable.intersection((key, switch))

    def add(name: str, why: str, instead: str, *, harmless: bool = False) -> None:
        severity = Severity.WARNING if harmless else Severity.FAULT
        if name in gateway.own:
            severity, instead = Severity.ERROR, ""
        problems.add(name, why, instead, severity=severity, source=gateway.origins[name])

    addresses = set()
    if len(listed) > MAX_FILTER_ADDRESSES:
        rest = "the others do not pass" if allow else "the others pass"
        why = f"only the first {MAX_FILTER_ADDRESSES} count"
        add(key, why, rest, harmless=allow)
    for text in listed[:MAX_FILTER_ADDRESSES]:
        if _ADDRESS.fullmatch(text):
            addresses.add(bytes.fromhex(text.replace(":", "")))
        else:
            why = f"{printable(text)} is no AA:BB:CC:DD:EE:FF"
            add(key, why, "skipped" if allow else "skipped, and passes", harmless=allow)
    closed = False
    if switch in not_known and (listed or key in not_known):
        closed = True
        add(switch, "cannot be read, and there is a list", "nothing passes")
    elif allow and not addresses and (listed or key in not_known):
        closed = True
        add(key, "no address can be used, and only those listed pass", "nothing passes")
    elif not addresses and (listed or key in not_known):
        add(key, "no address can be used", "nothing is filtered")
    elif allow and not listed:
        name = next((name for name in (key, switch) if name in gateway.own), switch)
        why = "only those listed pass, and the list is empty"
        add(name, why, "nothing is filtered", harmless=True)
    return FilterSettings(frozenset(addresses), allow, closed)


def _check_that_they_pass(config: Config, sources: Sources) -> None:
    """A sensor that the filter drops is silent for ever, and looks as if it were out of range."""
    given = config.filter
    for sensor in config.sensors:
        listed = sensor.address in given.addresses
        passes = not given.closed and (not given.addresses or listed == given.allow)
        if sensor.silent_after and not passes:
            where = f"{SENSORS}.{address_text(sensor.address)}"
            why = "does not pass scan_filter_list, so it will be told as silent"
            table = sources.host.sensors.found[address_text(sensor.address)]
            instead = "let it pass, or set its silent_minutes to 0"
            sources.problems.add(where, why, instead, source=table.source)


class _Targets:
    """Makes the targets of a configuration. One that cannot work is a fault, and left out."""

    def __init__(self, sources: Sources) -> None:
        self._gateway = sources.gateway
        self._host = sources.host
        self._problems = sources.problems
        self._places = sources.places
        self._proxy = self._checked_proxy()

    def targets(self) -> tuple[Target, ...]:
        targets: list[Target] = []
        if self._gateway["use_http_ruuvi"]:
            targets.append(self.ruuvi())
        if self._gateway["use_http"] and (custom := self.custom()):
            targets.append(custom)
        look_at_unused(self._gateway, self._host, self._problems)
        if self._gateway["use_mqtt"] and (mqtt := self.mqtt()):
            targets.append(mqtt)
        return tuple(targets)

    def ruuvi(self) -> HttpTarget:
        return HttpTarget(RUUVI, RUUVI_CLOUD_URL, proxy=self._proxy)

    def mqtt(self) -> MqttTarget | None:
        refused = [self._was_refused(f"mqtt_{key}") for key in ("server", "port", "user", "pass")]
        if any(refused):
            return None  # to connect without what was to authenticate us would be a guess

        def tls() -> TlsFiles:
            return self._tls("mqtt_", "mqtt_", self._host["mqtt.client_key_password"])

        return gateway_target(self._gateway, self._host, self._problems, tls, self._fault)

    def statistics(self) -> HttpTarget | None:
        gateway = self._gateway
        address = self._address("http_stat_url")
        if address is None or any(map(self._was_refused, ("http_stat_user", "http_stat_pass"))):
            return None
        url, from_url = address
        user = gateway["http_stat_user"]
        given = basic_authorization(user, gateway["http_stat_pass"]) if user else None
        return HttpTarget(
            STATISTICS,
            url,
            authorization=from_url or given,
            tls=self._tls("http_stat_", "stat_", self._host["statistics.client_key_password"]),
            proxy=self._proxy,
            redirect_get=self._host["http.redirect_get"],
        )

    def custom(self) -> HttpTarget | None:
        gateway = self._gateway
        period = gateway["http_period"]
        if period < SHORTEST_POLITE_PERIOD:
            why = f"shorter than the {SHORTEST_POLITE_PERIOD} s a gateway offers"
            origin = gateway.origins["http_period"]
            self._problems.add("http_period", why, "taken", value=period, source=origin)
        address = self._address("http_url")
        authorization = self._authorization(address[1] if address else None)
        if address is None or any(
            self._was_refused(key) for key in ("http_auth", *CREDENTIALS[gateway["http_auth"]])
        ):
            return None  # to post without what was to authenticate us would be a guess
        extra = ExtraFiles(
            self._wanted_file("http_use_extra_http_path", "http_path"),
            self._wanted_file("http_use_extra_http_query", "http_query"),
            self._wanted_file("http_use_extra_http_headers", "http_headers"),
        )
        parts = urlsplit(address[0])
        if extra.path and parts.path:
            self._fault("http_url", "must have no path, not even /, with http_use_extra_http_path")
        if extra.query and parts.query:
            self._fault("http_url", "must have no query with http_use_extra_http_query")
        return HttpTarget(
            CUSTOM,
            address[0],
            period,
            authorization,
            DataFormat(gateway["http_data_format"]),
            self._tls("http_", "http_", self._host["http.client_key_password"]),
            extra,
            self._proxy,
            self._host["http.keep_alive"],
            self._host["http.redirect_get"],
        )

    def remote(self) -> RemoteSettings | None:
        gateway, host = self._gateway, self._host
        kind = gateway["remote_cfg_auth_type"]
        credentials = REMOTE_CREDENTIALS[kind]
        if any(map(self._was_refused, ("remote_cfg_url", "remote_cfg_auth_type", *credentials))):
            return None  # to ask without what was to authenticate us would be a guess
        return RemoteSettings(
            gateway["remote_cfg_url"],
            "none" if kind == "no" else kind,
            gateway["remote_cfg_auth_basic_user"],
            gateway["remote_cfg_auth_basic_pass"],
            gateway["remote_cfg_auth_bearer_token"],
            self._tls("remote_cfg_", "rcfg_", ""),
            self._proxy,
            gateway["remote_cfg_refresh_interval_minutes"],
            splay=host["remote_configuration.splay_s"],
            trial=host["remote_configuration.trial_s"],
            pinned=tuple(host[PINNED]),
            allow_no_target=host["remote_configuration.allow_no_target"],
            public_key=host[PUBLIC_KEY],
        )

    def _address(self, key: str) -> tuple[str, Authorization | None] | None:
        """An address, and who is named in it. None: it cannot be used."""
        if not self._gateway[key] and self._was_refused(key):
            return None
        try:
            return split_user(check_url(key, self._gateway[key]))
        except ConfigError as error:
            self._fault(key, error.problem)
            return None

    def _authorization(self, from_url: Authorization | None) -> Authorization | None:
        """The Authorization of the custom target.

        from_url: user and password in its address; they count for "basic" alone.
        """
        gateway = self._gateway
        kind = gateway["http_auth"]
        if from_url and kind != "basic":
            why = f"the user in it is not sent with http_auth {kind}"
            self._problems.add("http_url", why, "set http_auth to basic")
        if kind == "none":
            return None
        if kind == "basic":
            if ":" in gateway["http_user"]:
                self._fault("http_user", "must not have a colon: the password begins there")
                return None
            if from_url or gateway["http_user"]:
                return from_url or basic_authorization(gateway["http_user"], gateway["http_pass"])
            self._without("http_user")
            return None
        key = "http_bearer_token" if kind == "bearer" else "http_api_key"
        secret = gateway[key]
        if not secret:
            self._without(key)
            return None
        if not (secret.isascii() and secret.isprintable()) or secret != secret.strip():
            why = "must be printable ASCII without spaces at its ends: it goes into a header"
            self._fault(key, why)
            return None
        scheme = {"bearer": "Bearer ", "token": "Token ", "api_key": ""}[kind]
        return Authorization(scheme + secret)

    def _without(self, key: str) -> None:
        if not self._was_refused(key):
            self._problems.add(key, "empty", "no Authorization is sent")

    def _was_refused(self, key: str) -> bool:
        """What was given for it cannot be used, and that has been said."""
        return any(
            p.key == key and p.severity is not Severity.WARNING for p in self._problems.found
        )

    def _tls(self, key_prefix: str, file_prefix: str, password: str) -> TlsFiles:
        client = f"{key_prefix}use_ssl_client_cert"
        return TlsFiles(
            self._wanted_file(client, f"{file_prefix}cli_cert"),
            self._wanted_file(client, f"{file_prefix}cli_key"),
            password or None,
            self._wanted_file(f"{key_prefix}use_ssl_server_cert", f"{file_prefix}srv_cert"),
        )

    def _wanted_file(self, key: str, name: str) -> Path | None:
        """The file of that name, if `key` wants it."""
        if not self._gateway[key]:
            return None
        return self._places.where(name)

    def _checked_proxy(self) -> str | None:
        proxy = self._host["http.proxy"]
        if not proxy:
            return None
        try:
            return check_url("http.proxy", proxy)
        except ConfigError as error:
            self._problems.add("http.proxy", error.problem, severity=Severity.ERROR)
            return None

    def _fault(self, key: str, why: str) -> None:
        """Our user's own words must be right; a gateway's file only loses its target."""
        severity = Severity.ERROR if key in self._gateway.own else Severity.FAULT
        self._problems.add(key, why, severity=severity, source=self._gateway.origins.get(key, ""))
