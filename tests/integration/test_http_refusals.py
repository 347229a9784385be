"""The answers of what stands in front of a server: whose they are, what they mean, and that they do
not cost the data. The bodies are those that the programs gave, or that their documents show."""

from pathlib import Path

import pytest
from posting import answer, outcome_of_answer

from ruuvi_host.config.targets import HttpTarget
from ruuvi_host.relay.http.check import judge
from ruuvi_host.relay.http.outcome import Stage
from ruuvi_host.relay.http.refusals import ROWS, advice_for
from ruuvi_host.relay.sink import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "relay-to-my-server.md"


def nginx(status: str, more: str = "") -> bytes:
    return (
        f"<html>\r\n<head><title>{more or status}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status}</h1></center>\r\n"
        + (f"<center>{more}</center>\r\n" if more else "")
        + "<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    ).encode()


def apache(title: str, said: str) -> bytes:
    return (
        '<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN" "http://www.w3.org/TR/html4/strict.dtd">'
        f"\n<html><head>\n<title>{title}</title>\n</head><body>\n<h1>{title[4:]}</h1>\n"
        f"<p>{said}</p>\n</body></html>\n"
    ).encode()


def haproxy(title: str, said: str) -> bytes:
    return f"<html><body><h1>{title}</h1>\n{said}\n</body></html>\n".encode()


def aws(kind: str, said: str) -> bytes:
    return answer(403, f"x-amzn-ErrorType: {kind}", body=f'{{"message":"{said}"}}'.encode())


NOT_UNDERSTOOD = "Your browser sent a request that this server could not understand.<br />\n"
PLAIN = "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n"

ANSWERS = [
    ("nginx", answer(400, body=nginx("400 Bad Request")), Stage.HEAD, Verdict.FIX),
    (
        "nginx",
        answer(400, body=nginx("400 Bad Request", "Request Header Or Cookie Too Large")),
        *(Stage.HEAD, Verdict.FIX),
    ),
    (
        "nginx",
        answer(400, body=nginx("400 Bad Request", "No required SSL certificate was sent")),
        *(Stage.TLS, Verdict.FIX),
    ),
    (
        "nginx",
        answer(400, body=nginx("400 Bad Request", "The plain HTTP request was sent to HTTPS port")),
        *(Stage.TLS, Verdict.FIX),
    ),
    ("nginx", answer(403, body=nginx("403 Forbidden")), Stage.FIREWALL, Verdict.FIX),
    ("nginx", answer(502, body=nginx("502 Bad Gateway")), Stage.SERVER, Verdict.LATER),
    (
        "Apache",
        answer(400, body=apache("400 Bad Request", NOT_UNDERSTOOD)),
        *(Stage.HEAD, Verdict.FIX),
    ),
    (
        "Apache",
        answer(400, body=apache("400 Bad Request", NOT_UNDERSTOOD + PLAIN)),
        *(Stage.TLS, Verdict.FIX),
    ),
    (
        "Apache",
        answer(
            403,
            body=apache("403 Forbidden", "You don't have permission to access this resource."),
        ),
        *(Stage.FIREWALL, Verdict.FIX),
    ),
    (
        "HAProxy",
        answer(400, body=haproxy("400 Bad request", "Your browser sent an invalid request.")),
        *(Stage.HEAD, Verdict.FIX),
    ),
    (
        "HAProxy",
        answer(403, body=haproxy("403 Forbidden", "Request forbidden by administrative rules.")),
        *(Stage.FIREWALL, Verdict.FIX),
    ),
    (
        "HAProxy",
        answer(503, body=haproxy("503 X", "No server is available to handle this request.")),
        *(Stage.SERVER, Verdict.LATER),
    ),
    (
        "Go (Caddy, Traefik)",
        answer(400, body=b"400 Bad Request: invalid header name"),
        *(Stage.HEAD, Verdict.FIX),
    ),
    (
        "Go (Caddy, Traefik)",
        answer(400, body=b"Client sent an HTTP request to an HTTPS server.\n"),
        *(Stage.TLS, Verdict.FIX),
    ),
    ("Caddy", answer(502, "Server: Caddy"), Stage.SERVER, Verdict.LATER),
    ("Traefik, or Go", answer(404, body=b"404 page not found\n"), Stage.PATH, Verdict.FIX),
    (
        "AWS API Gateway",
        aws("MissingAuthenticationTokenException", "Missing Authentication Token"),
        *(Stage.PATH, Verdict.FIX),
    ),
    ("AWS API Gateway", aws("ForbiddenException", "Forbidden"), Stage.AUTH, Verdict.FIX),
    (
        "AWS API Gateway",
        aws("AccessDeniedException", "User is not authorized to access this resource"),
        *(Stage.AUTH, Verdict.FIX),
    ),
    (
        "AWS API Gateway",
        aws("IncompleteSignatureException", "not a valid key=value pair"),
        *(Stage.AUTH, Verdict.FIX),
    ),
    (
        "Cloudflare",
        answer(403, "cf-mitigated: challenge", body=b"<title>Just a moment...</title>"),
        *(Stage.FIREWALL, Verdict.FIX),
    ),
    ("Cloudflare", answer(403, body=b"error code: 1020"), Stage.FIREWALL, Verdict.FIX),
    ("Cloudflare", answer(521, body=b"error code: 521"), Stage.SERVER, Verdict.LATER),
    ("Cloudflare", answer(526, body=b"error code: 526"), Stage.SERVER, Verdict.LATER),
    ("Azure Front Door", answer(403, body=b"The request is blocked."), Stage.FIREWALL, Verdict.FIX),
    (
        "Azure App Service",
        answer(403, body=b"<h1>Error 403 - This web app is stopped.</h1>"),
        *(Stage.SERVER, Verdict.FIX),
    ),
    (
        "Azure API Management",
        answer(401, body=b'{"message": "Access denied due to missing subscription key. Make'),
        *(Stage.AUTH, Verdict.FIX),
    ),
    (
        "Node-RED, or Express",
        answer(404, body=b"<body>\n<pre>Cannot POST /record</pre>\n</body>"),
        *(Stage.PATH, Verdict.FIX),
    ),
    (
        "Node-RED, or Express",
        answer(500, body=b"Internal Server Error"),
        *(Stage.SERVER, Verdict.LATER),
    ),
]


@pytest.mark.parametrize(("who", "data", "stage", "verdict"), ANSWERS)
def test_an_answer_of_a_front_end(who: str, data: bytes, stage: Stage, verdict: Verdict) -> None:
    outcome = outcome_of_answer(data)
    assert outcome.verdict is verdict
    assert f"({who}: " in outcome.reason
    result = judge(HttpTarget("custom", "http://server/"), outcome)
    assert (result.step, result.delivered) == (stage.value, False)
    assert result.remedy


def test_home_assistant_behind_a_proxy_that_it_does_not_trust() -> None:
    body = b"400: Bad Request"
    advice = advice_for(400, (), body, "/api/webhook/x")
    assert advice
    assert "trusted_proxies" in advice.remedy
    assert not advice_for(400, (), body, "/record")  # other servers say so of a batch
    assert outcome_of_answer(answer(400, body=body)).verdict is Verdict.REFUSED


@pytest.mark.parametrize(
    "data",
    [
        answer(400, body=b"no tags"),
        answer(400, body=b"400 Bad Request: " + b"x" * 200),
        answer(413, body=nginx("413 Request Entity Too Large")),
        answer(422),
    ],
)
def test_what_the_server_itself_says_of_a_batch_counts(data: bytes) -> None:
    assert outcome_of_answer(data).verdict is Verdict.REFUSED


@pytest.mark.parametrize("data", [answer(403), answer(403, body=b"Forbidden"), answer(401)])
def test_nothing_is_known_of_others(data: bytes) -> None:
    assert outcome_of_answer(data).advice is None


def test_each_row_is_tested_and_on_the_page() -> None:
    page = PAGE.read_text("utf-8")
    tested = [(who, stage) for who, _, stage, _ in ANSWERS] + [("Home Assistant", Stage.SERVER)]
    for row in ROWS:
        assert (row.who, row.advice.stage) in tested
        assert row.who in page
        assert row.source
