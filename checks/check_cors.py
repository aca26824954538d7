"""Cross-origin requests: may the web app's pages call the data plane, read its errors, and may nobody else?"""

from __future__ import annotations

from btdiag.core.finding import Finding, conclude
from btdiag.core.measurement import NotMeasured, PerAddress
from btdiag.core.product import origins
from btdiag.core.target import Target
from btdiag.families.cors.facts import CorsSurvey
from btdiag.families.cors.judge import readable, responses, too_loose, web_app


def check_web_app_may_call(
    cors_survey: PerAddress[CorsSurvey], cors_backend: CorsSurvey | NotMeasured, target: Target
) -> Finding:
    """The web app's pages may call every part of the API, with every method and header that they use.

    The web app runs in the user's browser at https://www.braintrust.dev and calls the data plane from there. The
    browser asks first (a preflight: OPTIONS without credentials) and lets a call through only if the answer allows
    origin, method and each header by name. What stands in front of the API (authentication, firewall, CDN, a list of
    its own) often breaks that, and users see "Failed to fetch" whatever the cause.

    Measured: on every address, one preflight for each backend class with all headers of the product, simple requests
    to / and /version, and a read and a write as the page makes them: over HTTP/2 where it is offered, with the
    product's headers, client hints, codings, and the key where it may go (the write goes to a path that does not
    exist). What is refused is asked again alone, six times at most: what passes in between is one finding, for servers
    that differ or a limit. Then it is asked in parts, without each group of headers, over HTTP/1.1 and with a query
    that no cache has seen, until what makes the difference is known. Redirects are followed within the target, as
    `fetch` does. The answers are judged as Chromium does, without and with credentials. With --backend the API server's
    own answer is set beside them, which proves the hop.

    Remedy: let OPTIONS and the headers Origin and Access-Control-Request-* reach the API, and let its answer pass
    unchanged; or answer preflights completely in the gateway. The finding names the hop and has its configuration.

    Sources: https://fetch.spec.whatwg.org/#http-cors-protocol; RFC 9110 section 9.3.7
    """
    backend = None if isinstance(cors_backend, NotMeasured) else cors_backend
    return conclude(web_app.web_app_may_call(cors_survey.facts, origins(target), backend))


def check_errors_are_readable(
    cors_survey: PerAddress[CorsSurvey], cors_backend: CorsSurvey | NotMeasured, target: Target
) -> Finding:
    """Error responses carry the same CORS headers as successful ones.

    Without them the page learns nothing of a 401, 404 or 413: the browser hides the response and reports a CORS error,
    and everybody looks for a CORS fault that is none. nginx leaves its headers out of 4xx and 5xx unless told `always`.

    Measured: GET /ping without a key, GET of an unknown path and GET of an AI proxy path, as the web app's page would;
    where those meet a login, the web app's own call with the key.

    Remedy: `always` on every add_header (nginx), http-after-response (HAProxy), CORS headers in gateway responses (API
    Gateway); do not replace the API's error pages.

    Sources: https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header
    """
    backend = None if isinstance(cors_backend, NotMeasured) else cors_backend
    return conclude(responses.errors_are_readable(cors_survey.facts, origins(target), backend))


def check_foreign_origins_are_refused(
    cors_survey: PerAddress[CorsSurvey], cors_backend: CorsSurvey | NotMeasured, target: Target
) -> Finding:
    """Pages of other origins are not let in.

    An allow-list that echoes any origin, or a pattern that is open at one end, lets every web page read the API's
    answers in the name of whoever visits it: with credentials that is a leak.

    Measured: requests and preflights of ten origins that each defeat one kind of careless pattern (suffix, prefix,
    unescaped dot, plain http, another port, null, local files).

    Remedy: compare the whole origin with a list; never echo what is asked.

    Sources: https://portswigger.net/web-security/cors; https://fetch.spec.whatwg.org/#cors-check
    """
    backend = None if isinstance(cors_backend, NotMeasured) else cors_backend
    return conclude(too_loose.foreign_origins_are_refused(cors_survey.facts, origins(target), backend))


def check_headers_not_doubled(
    cors_survey: PerAddress[CorsSurvey], cors_backend: CorsSurvey | NotMeasured, target: Target
) -> Finding:
    """Access-Control-Allow-Origin and Access-Control-Allow-Credentials come once in every response.

    Browsers refuse a response with two values, even two equal ones. It happens when the API and a gateway both add
    CORS headers.

    Measured: all responses to the web app's origin are searched for repeated lines and for lists in one line.

    Remedy: let one of the two do it: remove the gateway's header, or hide the API's (nginx: proxy_hide_header).

    Sources: https://fetch.spec.whatwg.org/#cors-check
    """
    backend = None if isinstance(cors_backend, NotMeasured) else cors_backend
    return conclude(responses.headers_not_doubled(cors_survey.facts, origins(target), backend))


def check_preflight_is_cached(
    cors_survey: PerAddress[CorsSurvey], cors_backend: CorsSurvey | NotMeasured, target: Target
) -> Finding:
    """Browsers may remember preflights for a minute or more.

    Without Access-Control-Max-Age browsers forget a preflight after five seconds, and nearly every call of the web app
    takes two round trips.

    Measured: Access-Control-Max-Age of every preflight that passes, as Chromium reads it (at most 7200 s).

    Remedy: send Access-Control-Max-Age: 7200; the API's own value is 86400.

    Sources: https://fetch.spec.whatwg.org/#cors-preflight-cache
    """
    backend = None if isinstance(cors_backend, NotMeasured) else cors_backend
    return conclude(responses.preflight_is_cached(cors_survey.facts, origins(target), backend))


def check_exposed_headers_suffice(
    cors_survey: PerAddress[CorsSurvey], cors_backend: CorsSurvey | NotMeasured, target: Target
) -> Finding:
    """Page code can read the API's own response headers.

    Across origins a page sees only seven plain headers and those named in Access-Control-Expose-Headers: without
    x-bt-cursor, for instance, it cannot fetch the next page of results.

    Measured: Access-Control-Expose-Headers of successful responses, compared over addresses and paths, with the
    headers that came, and with the API server's own answer (--backend).

    Remedy: expose x-bt-cursor, x-bt-found-existing, x-bt-span-id and x-bt-span-export where the gateway sets CORS
    headers of its own.

    Sources: https://fetch.spec.whatwg.org/#concept-filtered-response-cors
    """
    backend = None if isinstance(cors_backend, NotMeasured) else cors_backend
    return conclude(readable.exposed_headers_suffice(cors_survey.facts, origins(target), backend))


def check_caches_keep_origins_apart(cors_survey: PerAddress[CorsSurvey], target: Target) -> Finding:
    """No shared cache can give one origin's answer to another.

    A response whose CORS headers depend on Origin, that may be cached and does not say Vary: Origin, is a trap: a CDN
    keeps the answer to the first caller, and the web app works for some users and fails for others.

    Measured: simple requests of the web app's origin, of foreign ones and without any are compared; Cache-Control, Age,
    X-Cache and Vary are read. A request that is refused every time and passes with a query that no cache has seen was
    answered from a cache.

    Remedy: send Vary: Origin, and keep API paths out of shared caches.

    Sources: https://fetch.spec.whatwg.org/#cors-protocol-and-http-caches; RFC 9110 section 12.5.5
    """
    return conclude(too_loose.caches_keep_origins_apart(cors_survey.facts, origins(target)))


def check_bucket_lets_the_web_app_read(cors_bucket: CorsSurvey, target: Target) -> Finding:
    """The object store lets a page read what the API redirects it to.

    Results above some 4 MB are redirected to a presigned URL. A redirect across origins makes the browser send
    `Origin: null`, which a bucket's default CORS rules refuse: the trace is not shown ("Failed to fetch").

    Measured: GET of the URL given with --bucket and a preflight, both with Origin: null.

    Remedy: allow every origin for GET in the bucket's CORS rules (Terraform: s3_additional_allowed_origins = ["*"]).

    Sources: https://fetch.spec.whatwg.org/#http-redirect-fetch
    """
    return conclude(readable.bucket_lets_the_web_app_read(cors_bucket, origins(target)))
