"""What one line says by the words of its product: the fingerprints, one by one, with what excludes what."""

from __future__ import annotations

import json

import pytest

from btdiag.logs.event import UNRELATED, Event
from btdiag.logs.recognition import Reader

RICH = '1.2.3.4 - - [26/Nov/2026:08:41:40 +0000] "{request}" {status} {size} "-" "x" msec=1795682500.333 rt={urt} uct={uct} uht={uht} urt={urt} ua="{ua}" us="{us}" ubr="{ubr}" c=36 cr=1 compl={compl}'  # noqa: E501
NGINX_ERROR = (
    '2026/11/26 08:41:42 [error] 1#1: *36 {words}, client: 1.2.3.4, server: x, request: "POST /btql HTTP/1.1",'
    ' upstream: "http://10.0.0.1:8000/btql", host: "x"'
)
HAPROXY = 'Nov 26 08:46:17 lb01 haproxy[698]: 1.2.3.4:49682 [26/Nov/2026:08:46:17.709] in {backend} {timers} {status} 437 - - {state} 1/1/0/0/{retries} 0/0 "{request}"'  # noqa: E501
ISTIO = '[2026-11-26T08:48:25.243Z] "POST /btql HTTP/1.1" {status} {flags} {details} - "{failure}" 10 95 {took} - "-" "x" "id" "api" "{host}" api {local} 10.0.0.9:80 1.2.3.4:5 - -'  # noqa: E501
ALB = 'https 2026-11-25T07:08:11.063160Z app/api/50dc 1.2.3.4:48876 {target} {times} {status} {target_status} 592 324 "POST https://api:443/logs3 HTTP/1.1" "x" ECDHE TLSv1.2 arn:aws:tg "Root=1-6b" "api" "arn" 0 2026-11-25T07:08:11.061829Z "{actions}" "-" "-" "-" "-" "-" "-" TID_9'  # noqa: E501


def read(line: str) -> Event:
    event = Reader().parse(line.encode())
    assert event is not None, line
    return event


def rich(**fields: object) -> str:
    values: dict[str, object] = {
        "request": "POST /btql HTTP/1.1", "status": 502, "size": 157, "urt": "0.001", "uct": "0.000", "uht": "-",
        "ua": "10.0.0.1:8000", "us": "502", "ubr": "0", "compl": "OK",
    }  # fmt: skip
    return RICH.format(**values | fields)


@pytest.mark.parametrize(
    ("line", "first", "sure", "out"),
    [
        (rich(), "race", False, ()),
        (rich(urt="0.404"), "backend_closed", False, ("race",)),
        (rich(urt="0.404, 0.000", us="502, 502", uct="0.000, -", uht="-, -", ua="10.0.0.1:8000, 10.0.0.1:8000"),
         "backend_closed", False, ("race",)),
        (rich(uct="-", urt="0.000"), "refused", False, ("race",)),
        (rich(uct="-, -", uht="-, -", urt="0.000, 0.000", ua="10.0.0.1:80, 10.0.0.2:80", us="502, 502"), "refused",
         False, ("race",)),
        (rich(ua="braintrust_api", uct="-", urt="0.000"), "no_healthy_target", False, ("race", "refused")),
        (rich(ua="-", us="-", urt="-", uct="-", ubr="-"), "upstream_dns", False, ("race",)),
        (rich(ubr="4096"), "response_too_large", True, ("race",)),
        (rich(status=504, urt="60.000", us="504"), "upstream_timeout", True, ()),
        (rich(status=504, urt="60.000", us="504", uct="-"), "connect_timeout", True, ()),
        (rich(status=502, uht="0.003", us="502", ubr="300"), "app_5xx", True, ()),
        (rich(status=413, ua="-", us="-", urt="-", uct="-", ubr="-"), "request_too_large", True, ()),
        (rich(status=499, us="-", urt="-"), "client_abort", True, ()),
        (rich(status=200, us="200", uht="0.001", compl=""), "client_abort", True, ()),
        (rich(status=429, us="429", uht="0.001"), "rate_limited", True, ()),
        (rich(status=503, ua="-", us="-", urt="-", uct="-"), "rate_limited", False, ()),
        (rich(request="OPTIONS /btql HTTP/1.1", status=403, us="403", uht="0.001"), "cors_preflight_refused", True, ()),
        (rich(status="009", urt="0.002", us="009", ubr="34"), "plain_to_tls_backend", False, ("race",)),
        (NGINX_ERROR.format(words="upstream prematurely closed connection while reading response header from upstream"),
         "race", False, ()),
        (NGINX_ERROR.format(words="recv() failed (104: Connection reset by peer) while reading response header from"
                                  " upstream"), "race", False, ()),
        (NGINX_ERROR.format(words="readv() failed (104: Connection reset by peer) while reading upstream"),
         "cut_midbody", True, ("race",)),
        (NGINX_ERROR.format(words="upstream timed out (110: Connection timed out) while connecting to upstream"),
         "connect_timeout", True, ()),
        (NGINX_ERROR.format(words="upstream timed out (110: Connection timed out) while reading upstream"),
         "upstream_timeout", False, ()),
        (NGINX_ERROR.format(words="upstream SSL certificate verify error: (18:self-signed certificate) while SSL"
                                  " handshaking to upstream"), "tls_to_backend", True, ()),
        (NGINX_ERROR.format(words="gone.example could not be resolved (3: Host not found)"), "upstream_dns", True, ()),
        (NGINX_ERROR.format(words="limiting connections by zone \"perclient\""), "rate_limited", True, ()),
        (HAPROXY.format(backend="be/s1", timers="0/0/0/-1/12", status=502, state="SH--", retries=0,
                        request="GET /a HTTP/1.1"), "race", False, ()),
        (HAPROXY.format(backend="be/s1", timers="0/0/0/-1/400", status=502, state="SH--", retries=0,
                        request="GET /a HTTP/1.1"), "backend_closed", False, ("race",)),
        (HAPROXY.format(backend="be/s1", timers="0/0/-1/-1/3002", status=503, state="SC--", retries=3,
                        request="GET /a HTTP/1.1"), "refused", False, ("race",)),
        (HAPROXY.format(backend="be/<NOSRV>", timers="0/-1/-1/-1/0", status=503, state="SC--", retries=0,
                        request="GET /a HTTP/1.1"), "no_healthy_target", False, ("race",)),
        (HAPROXY.format(backend="be/s1", timers="0/0/0/5/9", status=200, state="SD--", retries=0,
                        request="GET /a HTTP/1.1"), "cut_midbody", True, ()),
        (HAPROXY.format(backend="be/s1", timers="0/0/0/3/3", status=502, state="PH--", retries=0,
                        request="GET /a HTTP/1.1"), "response_too_large", False, ()),
        (HAPROXY.format(backend="in/<NOSRV>", timers="-1/-1/-1/-1/0", status=400, state="PR--", retries=0,
                        request="<BADREQ>"), "request_too_large", False, ()),
        (HAPROXY.format(backend="in/<NOSRV>", timers="0/-1/-1/-1/0", status=429, state="PR--", retries=0,
                        request="POST /a HTTP/1.1"), "rate_limited", True, ()),
        (HAPROXY.format(backend="be/s1", timers="0/0/0/-1/200", status=400, state="CH--", retries=0,
                        request="POST /a HTTP/1.1"), "client_abort", True, ()),
        (ISTIO.format(status=503, flags="UC", details="upstream_reset_before_response_started{connection_termination}",
                      failure="-", took=3, host="10.0.0.1:80", local="10.0.0.9:55"), "race", False, ()),
        (ISTIO.format(status=503, flags="UF", details="-", failure="TLS_error:|268435703:WRONG_VERSION_NUMBER", took=3,
                      host="10.0.0.1:80", local="-"), "tls_to_backend", True, ()),
        (ISTIO.format(status=503, flags="UF,URX", details="-", failure="delayed_connect_error:_Connection_refused",
                      took=3, host="10.0.0.1:80", local="-"), "refused", True, ()),
        (ISTIO.format(status=503, flags="UO", details="overflow", failure="-", took=0, host="-", local="-"), "overload",
         True, ()),
        (ISTIO.format(status=502, flags="UPE", details="upstream_reset_before_response_started{protocol_error}",
                      failure="-", took=2, host="10.0.0.1:80", local="10.0.0.9:55"), "response_too_large", False, ()),
        (ISTIO.format(status=504, flags="UT", details="response_timeout", failure="-", took=15000, host="10.0.0.1:80",
                      local="10.0.0.9:55"), "upstream_timeout", True, ()),
        (ISTIO.format(status=413, flags="-", details="request_payload_too_large", failure="-", took=1, host="-",
                      local="-"), "request_too_large", True, ()),
        (ALB.format(target="10.0.0.1:80", times="0.003 0.001 -1", status=502, target_status="-", actions="forward"),
         "race", False, ()),
        (ALB.format(target="10.0.0.1:80", times="0.001 4.205 -1", status=502, target_status="-", actions="forward"),
         "backend_closed", False, ("race",)),
        (ALB.format(target="10.0.0.1:80", times="-1 -1 -1", status=502, target_status="-", actions="forward"),
         "refused", False, ()),
        (ALB.format(target="-", times="-1 -1 -1", status=503, target_status="-", actions="forward"),
         "no_healthy_target", False, ("race",)),
        (ALB.format(target="10.0.0.1:80", times="0.001 60.000 -1", status=504, target_status="-", actions="forward"),
         "upstream_timeout", True, ()),
        (ALB.format(target="10.0.0.1:80", times="0.001 0.5 -1", status=460, target_status="-", actions="forward"),
         "client_abort", True, ()),
        (ALB.format(target="10.0.0.1:80", times="0.001 0.5 0.000", status=503, target_status="503", actions="forward"),
         "app_5xx", True, ()),
    ],
)  # fmt: skip
def test_a_line_says(line: str, first: str, sure: bool, out: tuple[str, ...]) -> None:
    event = read(line)
    assert event.fits[:1] == (first,), event.fits
    assert event.sure is sure
    assert not set(out) & set(event.fits)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (rich(status=200, us="200", uht="0.001"), False),
        (rich(status=404, us="404", uht="0.001"), False),
        (rich(status=200, us="502, 200", ua="10.0.0.1:80, 10.0.0.1:80", uct="0.000, 0.000", uht="-, 0.010",
              urt="0.002, 0.010"), True),
        (rich(status=200, us="502, 200", ua="10.0.0.1:80, 10.0.0.2:80", uct="-, 0.000", uht="-, 0.010",
              urt="0.002, 0.010"), False),
        (rich(status=200, us="502, 200", ua="10.0.0.1:80, 10.0.0.1:80", uct="0.000, 0.000", uht="-, 0.010",
              urt="0.402, 0.010"), False),
        (ALB.format(target="-", times="-1 -1 -1", status=403, target_status="-", actions="waf,forward"), False),
        (HAPROXY.format(backend="be/s1", timers="0/0/0/5/9", status=200, state="----", retries=0,
                        request="GET /a HTTP/1.1"), False),
    ],
)  # fmt: skip
def test_a_good_line_is_none_and_may_have_been_retried(line: str, kept: bool) -> None:
    event = read(line)
    assert event.fits == ()
    assert event.retried is kept


GO = {
    "EOF": "race",
    "read tcp 10.0.0.9:5->10.0.0.1:80: read: connection reset by peer": "race",
    "dial tcp 10.0.0.1:80: connect: connection refused": "refused",
    "dial tcp: lookup gone on 10.0.0.53:53: no such host": "upstream_dns",
    "dial tcp: lookup gone: i/o timeout": "upstream_dns",
    "dial tcp 10.0.0.1:80: i/o timeout": "connect_timeout",
    "tls: failed to verify certificate: x509: certificate signed by unknown authority": "tls_to_backend",
    "tls: first record does not look like a TLS handshake": "tls_to_backend",
    "net/http: timeout awaiting response headers": "upstream_timeout",
    "no upstreams available": "no_healthy_target",
    "readfrom tcp 10.0.0.9:5->10.0.0.1:80: HTTP 413: http: request body too large": "request_too_large",
}


@pytest.mark.parametrize(("words", "kind"), GO.items())
def test_the_words_of_go_in_caddy_and_traefik(words: str, kind: str) -> None:
    caddy = {"level": "error", "ts": 1795683222.7, "logger": "http.log.error.log0", "msg": words, "duration": 0.001,
             "request": {"remote_ip": "1.2.3.4", "remote_port": "5", "method": "POST", "uri": "/btql"},
             "status": 502}  # fmt: skip
    traefik = {"level": "debug", "error": words, "time": "2026-11-26T08:54:07Z", "message": "502 Bad Gateway"}
    for record in (caddy, traefik):
        assert read(json.dumps(record)).fits[0] == kind
    text = f'2026-11-26T08:54:07Z DBG pkg/proxy.go:199 > 502 Bad Gateway error="{words}"'
    assert read(text).fits[0] == kind


VARNISH = (
    '1.2.3.4 [26/Nov/2026:08:58:31 +0000] "POST http://api/btql HTTP/1.1" 503 0 0 ttfb={took} vxid=9 err="{error}"'
    ' open="{open}" reuse="-" close="-"'
)


@pytest.mark.parametrize(
    ("error", "opened", "took", "first", "out"),
    [
        ("HTC eof (-1)", "31 api 10.0.0.1 80 10.0.0.9 576 reuse", "0.011", "race", ("plain_to_tls_backend",)),
        ("HTC eof (-1)", "31 api 10.0.0.1 80 10.0.0.9 576 connect", "0.002", "backend_closed", ("race",)),
        ("HTC eof (-1)", "31 api 10.0.0.1 80 10.0.0.9 576 reuse", "0.411", "backend_closed", ("race",)),
        ("backend api: fail errno 110 (Connection timed out)", "-", "1.000", "connect_timeout", ("race",)),
        ("first byte timeout (reused connection)", "31 api 10.0.0.1 80 10.0.0.9 576 reuse", "2.0", "upstream_timeout",
         ("race",)),
        ("backend api: unhealthy", "-", "0.000", "no_healthy_target", ("race",)),
        ("backend api: busy", "-", "0.000", "overload", ("race",)),
        ("HTC overflow (-2)", "31 api 10.0.0.1 80 10.0.0.9 576 reuse", "0.001", "response_too_large", ("race",)),
    ],
)  # fmt: skip
def test_varnish_names_the_connection(error: str, opened: str, took: str, first: str, out: tuple[str, ...]) -> None:
    event = read(VARNISH.format(error=error, open=opened, took=took))
    assert event.fits[0] == first
    assert not set(out) & set(event.fits)


CLOUD = [
    ({"httpRequest": {"status": 502, "latency": "0.002s", "requestMethod": "POST", "requestUrl": "https://a/b"},
      "jsonPayload": {"statusDetails": "backend_connection_closed_before_data_sent_to_client"},
      "timestamp": "2026-11-25T06:07:03.3Z"}, "race"),
    ({"httpRequest": {"status": 502, "latency": "9.1s"}, "timestamp": "2026-11-25T06:07:03.3Z",
      "jsonPayload": {"statusDetails": "backend_connection_closed_before_data_sent_to_client"}}, "backend_closed"),
    ({"category": "FrontDoorAccessLog", "time": "2026-11-25T10:07:03.3Z", "properties": {
        "httpStatusCode": "502", "timeTaken": "0.001", "errorInfo": "SSLHandshakeError"}}, "tls_to_backend"),
    ({"category": "ApplicationGatewayAccessLog", "timeStamp": "2026-11-25T06:11:10+00:00", "properties": {
        "httpStatus": 502, "timeTaken": 0.003, "error_info": "ERRORINFO_UPSTREAM_CLOSED_CONNECTION",
        "upstreamSourcePort": "24220", "serverRouted": "10.0.0.1:80"}}, "race"),
    ({"EdgeResponseStatus": 520, "OriginResponseStatus": 0, "EdgeStartTimestamp": 1795682467000000000,
      "OriginTCPHandshakeDurationMs": 0, "OriginTLSHandshakeDurationMs": 0, "OriginResponseDurationMs": 1}, "race"),
    ({"EdgeResponseStatus": 520, "OriginResponseStatus": 0, "EdgeStartTimestamp": "2026-11-25T12:07:03Z",
      "OriginTCPHandshakeDurationMs": 9, "OriginTLSHandshakeDurationMs": 20, "OriginResponseDurationMs": 1},
     "backend_closed"),
    ({"routeKey": "ANY /", "status": "503", "integrationStatus": "-", "integrationLatency": "2",
      "requestTimeEpoch": "1795604856584", "errorResponseType": "INTEGRATION_FAILURE"}, "race"),
    ({"routeKey": "ANY /", "status": "429", "integrationStatus": "-", "requestTimeEpoch": "1795604856584",
      "errorResponseType": "THROTTLED"}, "rate_limited"),
]  # fmt: skip


@pytest.mark.parametrize(("record", "first"), CLOUD)
def test_clouds(record: dict[str, object], first: str) -> None:
    assert read(json.dumps(record)).fits[0] == first


def test_health_checks_and_starts_are_no_requests() -> None:
    reader = Reader()
    down = b'Nov 26 08:46:17 lb01 haproxy[698]: Server be/s1 is DOWN, reason: Layer6 invalid response, info: "SSL"'
    assert reader.parse(down) is UNRELATED
    refused = HAPROXY.format(backend="be/s1", timers="0/0/-1/-1/3002", status=503, state="SC--", retries=3,
                             request="GET /a HTTP/1.1")  # fmt: skip
    event = reader.parse(refused.encode())
    assert event is not None
    assert event.fits[0] == "tls_to_backend"  # the health check knows more than the state


def test_haproxy_with_the_connection_and_the_tls_error_settles_more() -> None:
    line = HAPROXY.format(backend="be/s1", timers="0/0/0/-1/12", status=502, state="SH--", retries=0,
                          request="GET /a HTTP/1.1")  # fmt: skip
    assert read(f"{line} 10.0.0.9:51234 -").connection == b"10.0.0.9:51234"
    failed = HAPROXY.format(backend="be/s1", timers="0/0/-1/-1/3002", status=503, state="SC--", retries=3,
                            request="GET /a HTTP/1.1")  # fmt: skip
    assert read(f"{failed} 10.0.0.9:51234 SSL handshake failure").fits == ("tls_to_backend",)
    assert "tls_to_backend" not in read(f"{failed} 10.0.0.9:51234 -").fits
