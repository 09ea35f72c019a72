"""Which URLs can be a target, and what is prepared for them."""

from __future__ import annotations

import pytest

from core.errors import InvalidInputError
from core.limits import WEBHOOK_URL_CHARS_MAX
from delivery.sender import parse_url, request_head


@pytest.mark.parametrize(
    ("url", "ssl", "says"),
    [
        ("", False, "begin with"),
        ("receiver.example/hook", False, "begin with"),
        ("//receiver.example/hook", False, "begin with"),
        ("ftp://receiver.example/", False, "begin with"),
        ("unix:///run/x.sock", False, "begin with"),
        ("http://receiver.example/", True, "--no-ssl"),
        ("https:///hook", True, "host and port"),
        ("https://", True, "host and port"),
        ("https:receiver.example", True, "host and port"),
        ("https://receiver.example:0/", True, "host and port"),
        ("https://receiver.example:65536/", True, "not a URL"),
        ("https://receiver..example/", True, "host and port"),
        ("https://.example/", True, "host and port"),
        ("https://" + "a" * 64 + ".example/", True, "host and port"),
        ("https://127.0.0.%31/", True, "host and port"),
        ("https://receiver,example/", True, "host and port"),
        ("https://[fe80::1%25eth0]/", True, "host and port"),
        ("https://[::1/", True, "not a URL"),
        ("https://receiver.example\\@127.0.0.1/", True, "not a URL"),
        ("https://receiver.example/ x", True, "spaces"),
        ("https://receiver.example/\r\nX-Evil: 1", True, "spaces"),
        ("https://receiver.example/\0", True, "spaces"),
        ("https://me:secret@receiver.example/", True, "user name"),
        ("https://me@receiver.example/", True, "user name"),
        ("https://receiver.example/" + "x" * WEBHOOK_URL_CHARS_MAX, True, "longer"),
    ],
)
def test_urls_that_we_do_not_post_to(url, ssl, says):
    """A URL that is no use is refused with what is wrong, and without repeating what may be secret in it."""
    with pytest.raises(InvalidInputError, match=says) as caught:
        parse_url(url, ssl)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "head"),
    [
        ("https://receiver.example", "POST / HTTP/1.1\r\nHost: receiver.example\r\n"),
        ("HTTPS://Receiver.Example:443/a?b=c#d", "POST /a?b=c HTTP/1.1\r\nHost: receiver.example\r\n"),
        ("https://receiver.example:8443/a%20b?x=%41", "POST /a%20b?x=A HTTP/1.1\r\nHost: receiver.example:8443\r\n"),
        ("https://bücher.example/ä?ö", "POST /%C3%A4?%C3%B6 HTTP/1.1\r\nHost: xn--bcher-kva.example\r\n"),
        ("https://[2001:DB8::1]:8443/", "POST / HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n"),
        ("https://receiver.example/?to=a@b.example", "POST /?to=a@b.example HTTP/1.1\r\nHost: receiver.example\r\n"),
        ("https://receiver.example/%0d%0aX:%20y", "POST /%0D%0AX:%20y HTTP/1.1\r\nHost: receiver.example\r\n"),
        ("https://receiver.example./", "POST / HTTP/1.1\r\nHost: receiver.example\r\n"),
        ("https://under_score.example/", "POST / HTTP/1.1\r\nHost: under_score.example\r\n"),
    ],
)
def test_the_first_lines_of_a_request(url, head):
    """Request line and Host are what a browser would send for the URL, in ASCII and on two lines."""
    assert request_head(parse_url(url, True)) == head.encode("ascii")


def test_http_is_for_webhooks_without_verification():
    """Without SSL verification, http is as good as https."""
    assert request_head(parse_url("http://receiver.example/", False)).startswith(b"POST / ")
    assert request_head(parse_url("https://receiver.example/", False)).startswith(b"POST / ")
