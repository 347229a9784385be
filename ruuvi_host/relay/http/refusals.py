"""What stands in front of a server answers in its place: whose answer is it, and what does it mean?

One table. Each row comes from a run of the program, or from a document that is named in it. A row
counts for what `check` and the log say; and a 400 in it is not about the batch, which is kept.
"""

import re
from typing import NamedTuple

from ruuvi_host.relay.http.outcome import Advice, Stage

_LOOKED_AT = 4096
"""Bytes of a body."""


class Row(NamedTuple):
    who: str
    statuses: frozenset[int]
    header: bytes
    """The name of the header in which `says` stands; empty: in the body."""
    says: re.Pattern[bytes]
    advice: Advice
    source: str
    path: str = ""
    """Only where the path of our address holds this."""


_HEAD = Advice(
    Stage.HEAD,
    "see whether the name in the address, http_headers, http_path and http_query are right; the "
    "batch is not the reason",
    "it does not like the head of our request",
)


def _rule(whose: str, where: str) -> Advice:
    return Advice(Stage.FIREWALL, f"see {where}; the receiver was not asked", f"a rule of {whose}")


def _behind(whose: str) -> Advice:
    remedy = f"see whether the receiver behind {whose} runs, and whether {whose} knows its address"
    return Advice(Stage.SERVER, remedy, f"{whose} does not get through to the receiver")


def _row(
    who: str, status: int | frozenset[int], says: bytes, advice: Advice, source: str, **more: str
) -> Row:
    statuses = status if isinstance(status, frozenset) else frozenset({status})
    header = more.get("header", "").encode()
    return Row(who, statuses, header, re.compile(says), advice, source, more.get("path", ""))


_HTTPS = Advice(Stage.TLS, "write https:// in the address", "the port speaks https")
_CERTIFICATE = Advice(
    Stage.TLS,
    "name a client certificate that it trusts (http_use_ssl_client_cert, http_cli_cert)",
    "it wants a client certificate that it trusts",
)
_AWS_ERROR = "x-amzn-errortype"
_AWS_403 = "repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden"
_CLOUDFLARE_5XX = "developers.cloudflare.com/support/troubleshooting/http-status-codes"
_AZURE_WAF = "learn.microsoft.com/azure/web-application-firewall/afds (custom response code)"

ROWS = (
    _row(
        *("nginx", 400, rb"No required SSL certificate was sent|The SSL certificate error"),
        *(_CERTIFICATE, "run: nginx 1.22"),
    ),
    _row("nginx", 400, rb"plain HTTP request was sent to HTTPS port", _HTTPS, "run: nginx 1.22"),
    _row("Apache", 400, rb"plain HTTP to an SSL-enabled", _HTTPS, "run: Apache 2.4"),
    _row("Go (Caddy, Traefik)", 400, rb"HTTP request to an HTTPS server", _HTTPS, "run: Caddy 2.6"),
    _row(
        *("nginx", 400, rb"<center><h1>400 Bad Request</h1></center>"),
        *(_HEAD, "run: nginx 1.22"),
    ),
    _row(
        *("Apache", 400, rb"browser sent a request that this server could not understand"),
        *(_HEAD, "run: Apache 2.4"),
    ),
    _row(
        *("HAProxy", 400, rb"Your browser sent an invalid request\."),
        *(_HEAD, "run: HAProxy 2.6"),
    ),
    _row(
        *("Go (Caddy, Traefik)", 400, rb"\A400 Bad Request(: [ -~]{0,99})?\s*\Z"),
        *(_HEAD, "run: Caddy 2.6"),
    ),
    _row(
        *("Home Assistant", 400, rb"\A400: Bad Request\s*\Z"),
        Advice(
            Stage.SERVER,
            "set use_x_forwarded_for and trusted_proxies in its section http",
            "it does not trust the proxy in front of it",
        ),
        "www.home-assistant.io/integrations/http (reverse proxies)",
        path="/api/webhook/",
    ),
    _row(
        *("nginx", 403, rb"<center><h1>403 Forbidden</h1></center>"),
        _rule("nginx", "allow, deny, limit_except and auth_request in its configuration"),
        "run: nginx 1.22",
    ),
    _row(
        *("Apache", 403, rb"You don't have permission to access this resource"),
        _rule("Apache", "Require in its configuration, and the rights of its files"),
        "run: Apache 2.4",
    ),
    _row(
        *("HAProxy", 403, rb"Request forbidden by administrative rules"),
        _rule("HAProxy", "http-request deny in its configuration"),
        "run: HAProxy 2.6",
    ),
    _row(
        *("AWS API Gateway", 403, rb"MissingAuthenticationTokenException"),
        Advice(
            Stage.PATH,
            "see whether stage and path in the address are those of the API, and take POST",
            "no resource of the API is there; no token is missing",
        ),
        _AWS_403,
        header=_AWS_ERROR,
    ),
    _row(
        *("AWS API Gateway", 403, rb"ForbiddenException"),
        Advice(
            Stage.AUTH,
            "see whether x-api-key in http_headers is a key of the API, whether the name in the "
            "address is one of the API, and what AWS WAF says",
            "the API key, or a rule",
        ),
        _AWS_403,
        header=_AWS_ERROR,
    ),
    _row(
        *("AWS API Gateway", 403, rb"AccessDeniedException"),
        Advice(
            Stage.AUTH,
            "see the authorizer and the resource policy of the API",
            "its authorizer or policy refuses us",
        ),
        _AWS_403,
        header=_AWS_ERROR,
    ),
    _row(
        *(
            "AWS API Gateway",
            403,
            rb"SignatureException|TokenException|UnrecognizedClientException",
        ),
        Advice(
            Stage.AUTH,
            "use another kind of authorization there than IAM, which wants requests signed for AWS",
            "it takes our Authorization for one of AWS",
        ),
        _AWS_403,
        header=_AWS_ERROR,
    ),
    _row(
        *("Cloudflare", frozenset({403, 429, 503}), rb"(?i)challenge"),
        _rule(
            "Cloudflare", "Security, Events there, and let this address pass without a challenge"
        ),
        "developers.cloudflare.com/cloudflare-challenges (detect a challenge page response)",
        header="cf-mitigated",
    ),
    _row(
        *(
            "Cloudflare",
            frozenset({403, 409}),
            rb"\Aerror code: 1\d{3}\b|cf-error-(?:code|details)",
        ),
        _rule("Cloudflare", "the number of the error in its documentation, and Security, Events"),
        "developers.cloudflare.com/support/troubleshooting (1xxx errors)",
    ),
    _row(
        *("Cloudflare", frozenset({520, 521, 522, 523, 524}), b""),
        *(_behind("Cloudflare"), _CLOUDFLARE_5XX),
    ),
    _row(
        *("Cloudflare", frozenset({525, 526}), b""),
        Advice(
            Stage.SERVER,
            "see the certificate of the receiver behind Cloudflare",
            "TLS between Cloudflare and the receiver fails",
        ),
        _CLOUDFLARE_5XX,
    ),
    _row(
        *("Azure Front Door", 403, rb"The request is blocked"),
        _rule("Azure's firewall", "the log of the WAF policy, by the reference in the answer"),
        _AZURE_WAF,
    ),
    _row(
        *("Azure App Service", 403, rb"This web app is stopped"),
        Advice(Stage.SERVER, "start the app in Azure's portal", "the app is stopped"),
        "github.com/nicolonsky/intunedrivemapping issue 22 quotes it",
    ),
    _row(
        *("Azure API Management", 401, rb"due to (?:missing|invalid) subscription key"),
        Advice(
            Stage.AUTH,
            "put Ocp-Apim-Subscription-Key with a key of the subscription into http_headers",
            "the subscription key",
        ),
        "learn.microsoft.com/troubleshoot/azure/api-management (unauthorized errors)",
    ),
    _row(
        *("Traefik, or Go", 404, rb"\A404 page not found\s*\Z"),
        Advice(
            Stage.PATH,
            "see whether a router there has the name and the path of the address",
            "none of its routers matches the address",
        ),
        "doc.traefik.io/traefik/getting-started/faq (404 Not found)",
    ),
    _row(
        *("Node-RED, or Express", 404, rb"<pre>Cannot POST /"),
        Advice(
            Stage.PATH,
            "see whether a node 'http in' there has the method POST and the path of the address",
            "nothing takes POST at that path",
        ),
        "run: Node-RED 4",
    ),
    _row(
        *("Node-RED, or Express", 500, rb"\AInternal Server Error\s*\Z"),
        Advice(
            Stage.SERVER,
            "see its log; a batch may be larger than apiMaxLength in its settings",
            "Node-RED says so of a body that it cannot take",
        ),
        "run: Node-RED 4",
    ),
    _row(
        *("nginx", frozenset({502, 504}), rb"<center><h1>50[24] "),
        *(_behind("nginx"), "run: nginx 1.22"),
    ),
    _row(
        *("HAProxy", 503, rb"No server is available to handle this request"),
        *(_behind("HAProxy"), "run: HAProxy 2.6"),
    ),
    _row("Caddy", 502, rb"\ACaddy\Z", _behind("Caddy"), "run: Caddy 2.6", header="server"),
)


def advice_for(
    status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes, path: str
) -> Advice | None:
    """What the answer of a front end means. path: of our request."""
    start = body[:_LOOKED_AT]
    for row in ROWS:
        if status not in row.statuses or row.path not in path:
            continue
        texts = [v for k, v in headers if k.lower() == row.header] if row.header else [start]
        if any(row.says.search(text) for text in texts):
            advice = row.advice
            return advice._replace(means=f"{row.who}: {advice.means}")
    return None
