from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import pickle
import threading

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from hemato_lab.api import callbacks, hints
from hemato_lab.api.callbacks import CallbackSigner
from hemato_lab.api.hints import Hints
from hemato_lab.errors import (
    ConfigError,
    CredentialError,
    ForgedCallbackError,
    InsecureAddressError,
    StaleCallbackError,
)

SECRET = bytes(range(32))
NOW = 1_750_000_000.25
EXPIRY = 1_750_086_400
BASE = "https://lab.example/hooks/pbs"
STUDY = "25f7de38-ba9c-4b45-a4d8-8c13461d7b39"
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def signer(*, now: float = NOW, secret: bytes | str = SECRET, lifetime_s: float = 86_400.0) -> CallbackSigner:
    return CallbackSigner(secret=secret, wall_clock=lambda: now, lifetime_s=lifetime_s)


def signature(subject: str, expiry: int, secret: bytes = SECRET) -> str:
    """The signature once more, from RFC 2104's definition of HMAC and RFC 4648's of base64url."""
    written = subject.encode()
    message = b"hemato_lab callback address, version 1"
    message += bytes((0, 0, 0, 0, 0, 0, len(written) // 256, len(written) % 256)) + written
    message += b"".join(bytes([expiry >> shift & 0xFF]) for shift in range(56, -8, -8))
    key = secret.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(sign ^ 0x36 for sign in key) + message).digest()
    digest = hashlib.sha256(bytes(sign ^ 0x5C for sign in key) + inner).digest()
    bits = "".join(f"{byte:08b}" for byte in digest) + "00"
    return "".join(BASE64URL[int(bits[at : at + 6], 2)] for at in range(0, 258, 6))


SIGNATURE = signature(STUDY, EXPIRY)
URL = f"{BASE}/{STUDY}/{EXPIRY}.{SIGNATURE}"
SPACED = "our reference/7 ü~"
SPACED_QUOTED = "our%20reference%2F7%20%C3%BC~"
SPACED_SIGNATURE = signature(SPACED, EXPIRY)


def test_the_address_is_the_one_computed_by_hand():
    assert signer().url(BASE, STUDY) == URL
    assert signer().url(BASE + "/", STUDY) == URL
    assert signer().url(BASE, SPACED) == f"{BASE}/{SPACED_QUOTED}/{EXPIRY}.{SPACED_SIGNATURE}"
    assert signer(secret=SECRET.decode()).url(BASE, STUDY) == URL
    # The same with the standard library's HMAC, and as `openssl dgst -sha256 -mac HMAC` computed it.
    message = b"hemato_lab callback address, version 1" + (36).to_bytes(8, "big") + STUDY.encode()
    digest = hmac.digest(SECRET, message + EXPIRY.to_bytes(8, "big"), "sha256")
    assert base64.urlsafe_b64encode(digest) == f"{SIGNATURE}=".encode()
    assert SIGNATURE == "fIMRjj6aCRdimmjjz1hTdzPt-YG64lYoNzlAjozAOQQ"


def test_the_address_is_accepted_whole_by_path_and_behind_another_base():
    tail = f"/{STUDY}/{EXPIRY}.{SIGNATURE}"
    for target in (URL, "/hooks/pbs" + tail, tail, "http://127.0.0.1:8080" + tail, "https://other.example/x/y" + tail):
        assert signer().verify(target) == STUDY
    assert signer().verify(f"/{SPACED_QUOTED}/{EXPIRY}.{SPACED_SIGNATURE}") == SPACED


def tail(subject: str = STUDY, expiry: object = EXPIRY, seal: str = SIGNATURE) -> str:
    return f"{BASE}/{subject}/{expiry}.{seal}"


def spaced(old: str, new: str) -> str:
    """An address about a subject in need of quoting, quoted in another way."""
    return tail(SPACED_QUOTED.replace(old, new), seal=SPACED_SIGNATURE)


def forgeries() -> dict[str, list[str]]:
    """Addresses that must be refused, by the part that was tampered with."""
    other, digits, digest = "1" + STUDY[1:], str(EXPIRY)[1:], base64.urlsafe_b64decode(SIGNATURE + "=")
    first, last = SIGNATURE[0], BASE64URL.index(SIGNATURE[-1])
    altered = [
        SIGNATURE[:at] + ("A" if sign != "A" else "B") + SIGNATURE[at + 1 :] for at, sign in enumerate(SIGNATURE)
    ]
    respelled = [SIGNATURE[:-1] + BASE64URL[last ^ spare] for spare in (1, 2, 3)]  # bits beyond the last byte
    of_others = [signature(STUDY, EXPIRY, bytes(32)), signature(other, EXPIRY), signature(STUDY, EXPIRY + 1)]
    unkeyed = [base64.urlsafe_b64encode(hashlib.sha256(of).digest()).decode()[:-1] for of in (b"", STUDY.encode())]
    coded = [base64.b64encode(digest).decode().rstrip("="), digest.hex(), f"%{ord(first):02X}{SIGNATURE[1:]}"]
    longer = [SIGNATURE + more for more in ("=", "%3D", SIGNATURE, "." + SIGNATURE, "\n", " ", "/", "/.", "/x", ";x")]
    shorter = [SIGNATURE[:kept] for kept in (0, 1, 21, 41, 42)]
    strange = [SIGNATURE.swapcase(), chr(ord(first) + 0xFEE0) + SIGNATURE[1:], *(SIGNATURE + end for end in "?#")]
    seals = [*altered, *respelled, *of_others, *unkeyed, *coded, *longer, *shorter, *strange, SIGNATURE + "?x=1"]
    native = ["".join(chr(zero + int(digit)) for digit in str(EXPIRY)) for zero in (0x660, 0x966, 0xFF10)]
    signs = [f"{sign}{EXPIRY}" for sign in ("+", "-", "0", " ", "%20", "\t")]
    expiries = [
        EXPIRY + 1,
        EXPIRY + 59,
        EXPIRY - 1,
        *native,
        *signs,
        "",
        "\u00b9" + digits,
        "%31" + digits,
        "1_" + digits,
    ]
    expiries += [f"{EXPIRY}.0", f"{EXPIRY} ", "1e9", hex(EXPIRY), "9" * 12, "9" * 30, "9" * 5_000]
    subjects = [other, STUDY.upper(), STUDY[:-1], STUDY + "0", "", "%32" + STUDY[1:], STUDY.replace("-", "%2D", 1)]
    subjects += [STUDY + end for end in ("%2", "%zz", "%00", "%0A", "\n", "/x", "/", "/.", "/x/..", "?", "#")]
    subjects += ["%FF", "%ED%A0%80", "\ud800", "/" + STUDY, "?/" + STUDY, "#/" + STUDY, "a" * 1_000_000]
    quotings = [spaced("%", "%25"), spaced("%20", "+"), spaced("%20", " "), spaced("%2F", "/"), spaced("%C3%BC", "ü")]
    quotings += [spaced("%C3%BC", "u%CC%88"), spaced("%2F", "%C0%AF"), spaced("%2F", "%2f"), spaced("~", "%7E")]
    seal = f"{EXPIRY}.{SIGNATURE}"
    forms = [f"{BASE}/{seal}/{STUDY}", f"{BASE}/{STUDY}/{SIGNATURE}.{EXPIRY}", f"{BASE}/{STUDY}/{EXPIRY}:{SIGNATURE}"]
    forms += [f"{BASE}/{STUDY}/{EXPIRY}%2E{SIGNATURE}", f"{BASE}/{STUDY}\\{seal}", f"{BASE}/{STUDY}%2F{seal}"]
    forms += [
        f"{BASE}/{STUDY}/{EXPIRY}",
        f"{BASE}/{STUDY}/{SIGNATURE}",
        f"{BASE}/{STUDY}",
        BASE,
        "/",
        "",
        "/" * 1_000_000,
    ]
    forms += [
        f"{STUDY}/{seal}",
        f"https:///{STUDY}/{seal}",
        f"ftp://h/{STUDY}/{seal}",
        f"/{'a' * 9_000}/{STUDY}/{seal}",
    ]
    return {
        "seal": [tail(seal=one) for one in seals],
        "expiry": [tail(expiry=one) for one in expiries] + [tail(expiry=0, seal=signature(STUDY, 0))],
        "subject": [tail(one) for one in subjects],
        "quoting": quotings,
        "form": forms,
    }


FORGERIES = {f"{part} {at}": form for part, forms in forgeries().items() for at, form in enumerate(forms)}


def test_forgeries_are_many_and_all_different():
    assert len(FORGERIES) >= 120
    assert len(set(FORGERIES.values())) == len(FORGERIES)
    assert URL not in FORGERIES.values()


@pytest.mark.parametrize("target", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_address_is_refused_and_not_repeated(target: str):
    with pytest.raises(ForgedCallbackError) as refusal:
        signer().verify(target)
    assert SIGNATURE not in str(refusal.value)
    assert refusal.value.subject == ""


@pytest.mark.parametrize("past", [EXPIRY + 0.5, EXPIRY + 1.0, 4e9])
def test_an_expired_address_is_stale(past: float):
    with pytest.raises(StaleCallbackError) as refusal:
        signer(now=past).verify(URL)
    assert refusal.value.subject == STUDY
    assert SIGNATURE not in str(refusal.value)
    assert str(EXPIRY) not in str(refusal.value)


def test_an_address_is_valid_from_its_making_to_its_last_second():
    assert signer(now=float(EXPIRY)).verify(URL) == STUDY
    assert signer(now=NOW - 60.0).verify(URL) == STUDY
    with pytest.raises(StaleCallbackError):
        signer(now=NOW - 61.5).verify(URL)
    with pytest.raises(StaleCallbackError):
        signer(lifetime_s=3600.0).verify(URL)


@pytest.mark.parametrize("now", [NOW, 4e9, 1.0])
def test_the_signature_is_judged_before_the_time(now: float):
    with pytest.raises(ForgedCallbackError):
        signer(now=now, secret=bytes(32)).verify(URL)


@given(st.text(min_size=1, max_size=200))
@example("/")
@example("%2F")
@example("a/../b")
@example("\x00\n?#&=+ ;")
@example("\N{MAN}\u200d\N{ROCKET}" * 60)
def test_every_subject_comes_back(subject: str):
    assume(subject not in {".", ".."})
    url = signer().url(BASE, subject)
    assert url.isascii()
    assert len(url) < callbacks.LONGEST_TARGET / 2
    assert url.count("/") == BASE.count("/") + 2
    assert signer().verify(url) == subject


@given(st.text(min_size=1, max_size=30), st.data())
def test_every_change_of_one_character_is_refused(subject: str, data: st.DataObject):
    assume(subject not in {".", ".."})
    url = signer().url(BASE, subject)
    at = data.draw(st.integers(len(BASE) + 1, len(url) - 1))
    sign = data.draw(st.one_of(st.sampled_from(BASE64URL + "/.%+=?#"), st.characters()))
    replaced = url[:at] + sign + url[at + 1 :]
    inserted = url[:at] + sign + url[at:]
    removed = url[:at] + url[at + 1 :]
    for changed in {replaced, inserted, removed, url + sign} - {url}:
        with pytest.raises(ForgedCallbackError):
            signer().verify(changed)


@given(st.text(max_size=300))
def test_any_text_is_refused(target: str):
    with pytest.raises(ForgedCallbackError):
        signer().verify(target)


def test_the_comparison_takes_constant_time(monkeypatch: pytest.MonkeyPatch):
    compared = []

    def compare(first: bytes, second: bytes) -> bool:
        compared.append((first, second))
        return True

    monkeypatch.setattr(hmac, "compare_digest", compare)
    wrong = "A" * 43
    assert signer().verify(f"{BASE}/{STUDY}/{EXPIRY}.{wrong}") == STUDY
    assert compared == [(SIGNATURE.encode(), wrong.encode())]


@pytest.mark.parametrize(
    "base",
    [
        *("https://lab.example", "https://lab.example:8443/a/b", "https://[2001:db8::1]/x"),
        *("http://127.0.0.1:8000", "http://127.9.8.7/x", "http://[::1]:1", "http://localhost:80/y", "http://LOCALHOST"),
    ],
)
def test_a_base_is_https_or_on_loopback(base: str):
    assert signer().verify(signer().url(base, STUDY)) == STUDY


@pytest.mark.parametrize(
    "base",
    [
        *("http://h.example", "http://128.0.0.1", "http://127.0.0.1.h.example", "http://localhost.h.example"),
        *("http://127.1", "http://0x7f.1", "http://2130706433", "http://0.0.0.0", "http://[::]", "http://10.0.0.1"),
        *("https://user@h.example", "https://user:word@h.example", "https://@h.example", "http://localhost@h.example"),
        *("https://h.example/?", "https://h.example/?x=1", "https://h.example/#", "https://h.example/#x"),
        *("", "/path", "h.example", "https://", "https:///x", "//h.example", "https:h.example", "ftp://h.example"),
        *("https://h.example/a b", "https://h.example\n", "https://h.example/\x00", " https://h.example"),
        *(
            "https://hé.example",
            "https://h:99999",
            "https://h:x",
            "https://[::1",
            "https://h\\x",
            "https://h/" + "a" * 2_000,
        ),
    ],
)
def test_an_unsafe_base_is_refused_and_not_repeated(base: str):
    with pytest.raises(InsecureAddressError) as refusal:
        signer().url(base, STUDY)
    assert "user:word" not in str(refusal.value)
    assert STUDY not in str(refusal.value)


@pytest.mark.parametrize("subject", ["", "a" * 201, "\ud800", ".", ".."])
def test_a_subject_that_cannot_stand_in_an_address_is_refused(subject: str):
    with pytest.raises(ConfigError):
        signer().url(BASE, subject)


@pytest.mark.parametrize("secret", [b"", "", b"x" * 31, "ü" * 15, None, 32, 3.5, ["a"] * 32, "\ud800" * 40])
def test_a_short_or_strange_secret_is_refused_and_not_repeated(secret: object):
    with pytest.raises(CredentialError) as refusal:
        CallbackSigner(secret=secret)  # type: ignore[arg-type]
    assert "x" * 31 not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("lifetime_s", [0.0, -1.0, 0.5, float("nan"), float("inf"), 1e9])
@pytest.mark.parametrize("tolerance_s", [-1.0, float("nan"), float("inf")])
def test_a_strange_lifetime_or_tolerance_is_refused(lifetime_s: float, tolerance_s: float):
    for strange in ({"lifetime_s": lifetime_s}, {"tolerance_s": tolerance_s}):
        with pytest.raises(ConfigError):
            CallbackSigner.generate(**strange)


def test_every_generated_signer_has_a_secret_of_its_own():
    first, second = (CallbackSigner.generate(wall_clock=lambda: NOW) for _ in range(2))
    url = first.url(BASE, STUDY)
    assert first.verify(url) == STUDY
    with pytest.raises(ForgedCallbackError):
        second.verify(url)


@pytest.mark.parametrize(
    "secret", ["correct horse battery staple, twice over", b"correct horse battery staple, twice over"]
)
def test_the_secret_is_neither_shown_nor_kept_nor_pickled(secret: bytes | str):
    made = signer(secret=secret)
    parts = [getattr(made, name) for name in CallbackSigner.__slots__]
    assert "correct" not in f"{made!r} {made} {parts!r}"
    assert all(part != secret for part in parts)
    assert not hasattr(made, "__dict__")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(made, protocol)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(made)


def test_a_hint_wakes_a_thread_that_waits():
    told, woken = Hints(), threading.Event()
    told.listen("a", woken.set)
    told.give("b")
    assert not woken.is_set()
    giving = threading.Thread(target=told.give, args=("a",))
    giving.start()
    assert woken.wait(60)
    giving.join(60)


def test_a_hint_before_anyone_listens_wakes_at_once_and_once():
    told, woken = Hints(), []
    told.give("a")
    told.give("a")
    assert repr(told) == "Hints(0 listened for, 1 unheard)"
    end = told.listen("a", lambda: woken.append("first"))
    assert woken == ["first"]
    end()
    told.listen("a", lambda: woken.append("second"))
    assert woken == ["first"]
    told.give("a")
    told.give("a")
    assert woken == ["first", "second", "second"]


def test_all_who_listen_are_woken_and_ending_is_for_one():
    told, woken = Hints(), []
    ends = [told.listen("a", lambda number=number: woken.append(number)) for number in range(3)]
    told.give("a")
    assert woken == [0, 1, 2]
    ends[1]()
    ends[1]()
    told.give("a")
    assert woken == [0, 1, 2, 0, 2]
    ends[0]()
    ends[2]()
    assert repr(told) == "Hints(0 listened for, 0 unheard)"
    told.give("a")
    assert repr(told) == "Hints(0 listened for, 1 unheard)"


def test_a_wake_function_may_listen_itself():
    told, woken = Hints(), []
    end = told.listen("a", lambda: woken.append(told.listen("b", end)))
    told.give("a")
    assert repr(told) == "Hints(2 listened for, 0 unheard)"
    told.give("b")
    assert repr(told) == "Hints(1 listened for, 0 unheard)"


def test_a_wake_function_that_fails_keeps_none_of_the_others_asleep():
    told, woken = Hints(), []

    def fail() -> None:
        raise ValueError("the loop is closed")

    told.listen("a", fail)
    told.listen("a", lambda: woken.append("other"))
    with pytest.raises(ValueError, match="closed"):
        told.give("a")
    assert woken == ["other"]
    told.give("b")
    with pytest.raises(ValueError, match="closed"):
        told.listen("b", fail)
    assert repr(told) == "Hints(1 listened for, 0 unheard)"


def test_the_oldest_unheard_hints_are_forgotten_first(monkeypatch: pytest.MonkeyPatch):
    assert hints.MOST_UNHEARD == 100_000
    monkeypatch.setattr(hints, "MOST_UNHEARD", 3)
    told, woken = Hints(), []
    for subject in "abcad":
        told.give(subject)
    for subject in "abcd":
        told.listen(subject, lambda subject=subject: woken.append(subject))
    assert woken == ["a", "c", "d"]
