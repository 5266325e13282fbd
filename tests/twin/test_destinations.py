from __future__ import annotations

import pytest

from hemato_lab.errors import InsecureAddressError
from hemato_lab.twin.destinations import LONGEST, Destination, destination, shown

SIGNED = "https://Bucket.S3.example/a%20b.png?X-Amz-Signature=secret#part"


@pytest.mark.parametrize(
    ("url", "expected", "authority"),
    [
        (SIGNED, ("https", "bucket.s3.example", 443, "/a%20b.png?X-Amz-Signature=secret"), "bucket.s3.example"),
        ("http://a.example", ("http", "a.example", 80, "/"), "a.example"),
        ("http://a.example?q=1", ("http", "a.example", 80, "/?q=1"), "a.example"),
        ("HTTP://a.example:443/", ("http", "a.example", 443, "/"), "a.example:443"),
        ("https://a.example:443/x", ("https", "a.example", 443, "/x"), "a.example"),
        ("https://[2A00::1]:8443/x", ("https", "2a00::1", 8443, "/x"), "[2a00::1]:8443"),
        ("https://8.8.8.8/", ("https", "8.8.8.8", 443, "/"), "8.8.8.8"),
        ("https://xn--bcher-kva.example/", ("https", "xn--bcher-kva.example", 443, "/"), "xn--bcher-kva.example"),
        ("https://my_bucket.example/", ("https", "my_bucket.example", 443, "/"), "my_bucket.example"),
        ("https://a.example/user@host:1", ("https", "a.example", 443, "/user@host:1"), "a.example"),
        ("https://localhost/", ("https", "localhost", 443, "/"), "localhost"),
    ],
)
def test_an_address_is_taken_apart(url: str, expected: tuple[str, str, int, str], authority: str) -> None:
    place = destination(url)
    assert place == Destination(*expected)
    assert place.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "//a.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a.example/",
        "https:/a.example/",
        "https:a.example",
        "https://",
        "https:///path",
        "https://:443/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:/",
        "https://a.example:+80/",
        "https://a.example:8_0/",
        "https://a.example:80:80/",
        "https://user@a.example/",
        "https://user:word@a.example/",
        "https://@a.example/",
        "https://a.example\\@b.example/",
        "https://a.example\\b",
        "https://a example/",
        "https://a.example/\t",
        "https://a.example/\r\nX: y",
        "https://a.example/é",
        "https://\u2460.example/",
        "https://a\u3002example/",
        "https://a%2eexample/",
        "https://a.example./",
        "https://.a.example/",
        "https://a..example/",
        "https://-a.example/",
        "https://a-.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'a.' * 130}example/",
        "https://a.example/" + "x" * LONGEST,
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0x7f000001/",
        "https://a.0x/",
        "https://0177.0.0.1/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://[127.0.0.1]/",
        "https://[::1/",
        "https://::1/",
        "https://[::1]x/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[v1.fe80::a]/",
        "https://[]/",
        "https://[a.example]/",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(InsecureAddressError) as caught:
        destination(url)
    assert caught.value.subject == "an address"
    assert shown(url) == "an address"


def test_a_user_name_is_called_one() -> None:
    with pytest.raises(InsecureAddressError, match="user name"):
        destination("https://user:secret@a.example/")


def test_of_an_address_scheme_and_host_may_be_said() -> None:
    assert shown(SIGNED) == "https://bucket.s3.example"
    assert shown("http://[2a00::1]:8080/secret") == "http://[2a00::1]"
    assert shown("https://user:secret@a.example/") == "an address"
    assert shown(None) == "an address"  # type: ignore[arg-type]
    assert "secret" not in repr(destination(SIGNED))
