"""The host's own settings: what a Linux machine needs besides a gateway's configuration.

They stand in ruuvi-host.toml. `a.b` is key b of table [a]. The keys of tables that may stand there
several times, as [[coprocessor]], are in `arrays`.
"""

from ruuvi_host.config.broker_options import option_keys
from ruuvi_host.config.homeassistant import extra_keys
from ruuvi_host.config.keys import HostKey, choice, flag, path, text, texts, whole
from ruuvi_host.config.mqtt_target import DRAIN_RATE, MOST_A_SECOND, VERSIONS
from ruuvi_host.config.remote import REMOTE_KEYS

HOST_KEYS: tuple[HostKey, ...] = (
    choice(
        "profile",
        ("host", "gateway"),
        "`gateway` repeats the official gateway also where ours is better: the data of a failed "
        "post is lost, the next try comes after 67 s, and there are 100 sensors at most.",
    ),
    path(
        "gateway_config",
        "",
        "The gateway's own configuration; by default gw_cfg.json beside this file, if it is there.",
    ),
    path(
        "files",
        "",
        "Folder with certificates (`http_cli_cert` …) and extra parts (`http_headers` …); by "
        "default that of this file.",
    ),
    path("state_dir", "", "Where undelivered data and the like are kept, for one instance each."),
    flag(
        "trust_clock",
        False,
        "Take the system clock as right, though the kernel does not call it synchronised.",
    ),
    flag(
        "signed_tx_power",
        False,
        "Print a negative `ble_tx_power` signed. The gateway prints it as an unsigned 32-bit "
        "number, and servers know it so.",
    ),
    whole(
        "max_sensors",
        100,
        "Sensors in the table. When it is full, one leaves: first those received only once, then "
        "the least recently changed.",
        1,
        100_000,
    ),
    text(
        "nrf_firmware",
        "",
        "Version of the coprocessor's firmware for statistics, as v2.0.0; by default it is "
        "guessed from its behaviour.",
    ),
    flag(
        "http.keep_alive",
        False,
        "Keep the connection to your own server for the next post. The gateway opens a new one "
        "each time.",
    ),
    flag(
        "http.redirect_get",
        False,
        "After a 303, or a 301 or 302 to a page that refuses POST, GET that page, and take its 2xx "
        "for delivered: for script hosts as Google Apps Script. A log-in page looks the same.",
    ),
    text(
        "http.proxy",
        "",
        "URL of an HTTP proxy for all servers, as http://user:password@proxy:3128. Those of the "
        "environment are ignored.",
        secret=True,
    ),
    text("http.client_key_password", "", "Password of an encrypted `http_cli_key`.", secret=True),
    text(
        "statistics.client_key_password",
        "",
        "Password of an encrypted `stat_cli_key`.",
        secret=True,
    ),
    whole("mqtt.qos", 1, "Of messages and state: 1, or 0 as a gateway sends.", 0, 1),
    choice(
        "mqtt.backlog",
        ("newest", "all"),
        "What is sent of the time in which the broker was away: the newest message of each "
        "sensor, or every message.",
    ),
    whole(
        "mqtt.drain_rate",
        DRAIN_RATE,
        "Messages a second, beyond those that come in meanwhile, when the broker is back.",
        1,
        MOST_A_SECOND,
    ),
    choice("mqtt.version", VERSIONS, "Of MQTT; with 5, a broker that only knows 3.1.1 gets that."),
    text("mqtt.websocket_path", "/", "Path at the broker for WS and WSS."),
    text("mqtt.client_key_password", "", "Password of an encrypted `mqtt_cli_key`.", secret=True),
    *option_keys("mqtt."),
    *extra_keys("mqtt."),
    choice(
        "spool.sync",
        ("after_failure", "always"),
        "When a batch goes to disk: when its first attempt was not accepted, which spares SD "
        "cards; or ahead of it.",
    ),
    whole(
        "spool.max_mib",
        256,
        "Bound of each server's spool; the oldest batch leaves. A week's outage with 100 sensors "
        "at 10 s takes less.",
        1,
        1 << 20,
    ),
    whole("spool.max_age_days", 7, "Older batches leave; 30 is the oldest Ruuvi takes.", 1, 365),
    whole(
        "spool.drain_rate",
        0,
        "Most batches a second that your own server gets of a backlog. 0: up to 500 if it is in "
        "your own network and answers fast, else 20. Never for Ruuvi Cloud.",
        0,
        1000,
    ),
    whole(
        "watchdog.network_minutes",
        60,
        "Minutes without an answer of a server to a batch that are an error in the log. The "
        "gateway restarts itself then.",
        1,
        10_080,
    ),
    flag(
        "watchdog.exit",
        False,
        "End with exit code 5 when this is so for all servers, for systemd to restart.",
    ),
    text(
        "api.listen",
        "",
        "Where the local API and the page of settings are served: HOST:PORT as 127.0.0.1:8080, "
        "unix:PATH, or `systemd` for a socket that systemd has opened. Empty: nowhere.",
    ),
    texts(
        "api.names",
        "Further names under which the API may be asked, besides addresses, localhost, the name "
        "of this machine and that of the gateway.",
    ),
    texts(
        "api.proxies",
        "Addresses or networks of reverse proxies. Of these alone the client's address is taken "
        "from X-Forwarded-For.",
    ),
    flag(
        "api.check_local",
        False,
        "Let the API check settings against servers on this machine and link-local addresses, too.",
    ),
    flag(
        "api.announce",
        True,
        "Announce the API by mDNS, under the name of the gateway, through Avahi; only where it "
        "listens on more than this machine.",
    ),
    *REMOTE_KEYS,
    choice("log.level", ("info", "debug", "warning", "error"), "What is logged on stderr."),
    choice("log.format", ("text", "json"), "Lines for people, or JSON lines for programs."),
)

HOST_BY_NAME = {key.name: key for key in HOST_KEYS}
