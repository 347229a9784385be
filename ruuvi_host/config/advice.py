"""What the keys of a gateway come down to that whoever wrote them may not know: defaults that send
data somewhere, credentials that are not used, and what is not served here.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from ruuvi_host.config.gateway_config import GatewayConfig
from ruuvi_host.config.gateway_keys import BY_NAME, RUUVI_CLOUD_URL
from ruuvi_host.config.problems import Problem, Problems

_SWITCHES = {
    "http_url": "use_http",
    "http_stat_url": "use_http_stat",
    "mqtt_server": "use_mqtt",
}
_NOTHING = "nothing is sent there"
_OF_THE_API = ("lan_auth_type", "lan_auth_api_key", "lan_auth_api_key_rw")


def advise(gateway: GatewayConfig, problems: Problems, *, api: bool | None = None) -> None:
    """Add warnings to `problems`. api: the local API is on; None: that is not known."""
    if api and not gateway["ntp_use"]:
        why = "false: /history has no timestamps, and Home Assistant cannot use it"
        problems.add("ntp_use", why, "set it to true", source=gateway.origins["ntp_use"])
    for key in _OF_THE_API if api is False else ():
        if gateway[key] != BY_NAME[key].default:
            why = "the local API, which it is for, is off"
            problems.add(key, why, "set api.listen", source=gateway.origins[key])
    _warn_of_forgotten_switches(gateway, problems)
    _warn_of_ruuvibridge(gateway, problems)
    _warn_of_defaults(gateway, problems)
    _warn_of_public_broker(gateway, problems)
    _warn_of_credentials(gateway, problems)


def forgotten_switch(problems: Sequence[Problem]) -> Problem | None:
    """The one of them that says that a server is named and its switch is not given."""
    return next((p for p in problems if p.key in _SWITCHES and _NOTHING in p.why), None)


def _warn_of_forgotten_switches(gateway: GatewayConfig, problems: Problems) -> None:
    """Of a server that is named, and whose switch is not given. One that is false is meant so."""
    for key, switch in _SWITCHES.items():
        is_given = gateway[key] and gateway[key] != BY_NAME[key].default
        if is_given and not gateway[switch] and gateway.origins[switch] == "default":
            why = f"{_NOTHING}, because {switch} is not set"
            problems.add(key, why, f"set {switch} to true", source=gateway.origins[key])


def _warn_of_ruuvibridge(gateway: GatewayConfig, problems: Problems) -> None:
    """Its listener answers 200 whatever it takes. Only where the name of the host says so: its port
    may be anybody's."""
    try:
        host = urlsplit(gateway["http_url"]).hostname or ""
    except ValueError:
        return
    if not gateway["use_http"] or "ruuvibridge" not in host:
        return
    why = "RuuviBridge takes nothing of that, and answers 200 all the same"
    if gateway["http_data_format"] == "ruuvi_decoded":
        key, instead = "http_data_format", "set it to ruuvi or ruuvi_raw_and_decoded"
        problems.add(key, f"ruuvi_decoded: {why}", instead, source=gateway.origins[key])
    if not gateway["ntp_use"]:
        key = "ntp_use"
        problems.add(key, f"false: {why}", "set it to true", source=gateway.origins[key])


def _warn_of_defaults(gateway: GatewayConfig, problems: Problems) -> None:
    def by_default(key: str) -> bool:
        return bool(gateway[key]) and gateway.origins[key] == "default"

    def warn(key: str, why: str, instead: str) -> None:
        problems.add(key, f"is not given, and by default {why}", instead, source="")

    # With Ruuvi's address it was said in the way of firmware that knew one target only.
    named = gateway["http_url"] == RUUVI_CLOUD_URL and not by_default("http_url")
    if by_default("use_http_ruuvi") and not named:
        warn("use_http_ruuvi", "true: Ruuvi Cloud gets the data", "set it to true or false")
    if by_default("use_http_stat"):
        where = "Ruuvi" if by_default("http_stat_url") else "the server of http_stat_url"
        warn("use_http_stat", f"true: {where} gets statistics", "set it to true or false")
    if gateway.is_cloud_by_address and by_default("http_url") and not gateway.lacks_address:
        warn("http_url", "Ruuvi Cloud's: it gets the data", "set it to your server's")
    if gateway["use_http"] and by_default("http_url"):
        why = "Ruuvi Cloud's: data goes there, with what belongs to http_auth"
        warn("http_url", why, "set it to your server's")
    if gateway["use_http_stat"] and gateway["http_stat_user"] and by_default("http_stat_url"):
        why = "Ruuvi's: http_stat_user and http_stat_pass go there"
        warn("http_stat_url", why, "set it to your server's")


def _warn_of_public_broker(gateway: GatewayConfig, problems: Problems) -> None:
    if gateway["use_mqtt"] and gateway.origins["mqtt_server"] == "default":
        server = gateway["mqtt_server"]
        why = f"is not given, and by default {server}: everybody can read what is sent there"
        problems.add("mqtt_server", why, "set it to your broker's", source="")


def _warn_of_credentials(gateway: GatewayConfig, problems: Problems) -> None:
    def warn(key: str, why: str, instead: str) -> None:
        problems.add(key, why, instead, source=gateway.origins[key])

    if gateway["http_stat_pass"] and gateway.origins["http_stat_user"] == "default":
        warn("http_stat_pass", "not sent without http_stat_user", "set that, too")
    if gateway["use_http_stat"] and gateway["http_stat_user"] and not gateway["http_stat_pass"]:
        warn("http_stat_pass", "empty", "the user is sent without a password")
    is_basic = gateway["use_http"] and gateway["http_auth"] == "basic"
    if is_basic and gateway["http_user"] and not gateway["http_pass"]:
        warn("http_pass", "empty", "the user is sent without a password")
