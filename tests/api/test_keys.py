"""Keys in files: a new pair as the document makes one, and who may read a private key."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hemato_lab.api import KeyAuth, KeyPair, make_key_pair
from hemato_lab.api import keys as keys_module
from hemato_lab.api.keys import fingerprint_of, parse_private_key, read_private_key
from hemato_lab.errors import CredentialError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PASSPHRASE = "open sesame, please"  # noqa: S105 (of a key that lives as long as a test)
posix = pytest.mark.skipif(os.name != "posix", reason="modes are those of POSIX")
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """Return a pair of 4,096 bits; making one takes seconds."""
    old = os.umask(0)
    try:
        return make_key_pair(tmp_path_factory.mktemp("pair") / "device.key")
    finally:
        os.umask(old)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(content: bytes | str, mode: int = 0o600) -> Path:
        path = tmp_path / "a key.pem"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    return written


def pem(key: Any, *, passphrase: str | None = None, pkcs8: bool = True) -> bytes:
    shape = serialization.PrivateFormat.PKCS8 if pkcs8 else serialization.PrivateFormat.TraditionalOpenSSL
    lock: Any = serialization.NoEncryption()
    if passphrase is not None:
        lock = serialization.BestAvailableEncryption(passphrase.encode())
    content: bytes = key.private_bytes(serialization.Encoding.PEM, shape, lock)
    return content


def run_openssl(*arguments: str | Path) -> str:
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 (our own words)


# A new pair


def test_a_new_pair_is_in_the_documents_formats(pair: KeyPair) -> None:
    private, public = pair.private_path.read_text(), pair.public_path.read_text()
    assert private.startswith("-----BEGIN RSA PRIVATE KEY-----\n")  # ssh-keygen -m PEM
    assert private.endswith("-----END RSA PRIVATE KEY-----\n")
    assert public.startswith("-----BEGIN PUBLIC KEY-----\n")  # openssl rsa -pubout
    assert public.endswith("-----END PUBLIC KEY-----\n")
    assert pair.public_path == pair.private_path.with_name("device.key.pub")
    key = read_private_key(pair.private_path)
    assert key.key_size == 4096
    assert key.public_key().public_numbers().e == 65537
    assert serialization.load_pem_public_key(public.encode()) == key.public_key()
    assert PASSPHRASE not in repr(pair)
    assert private.splitlines()[1] not in repr(pair)


@posix
def test_a_new_private_key_is_its_owners_alone(pair: KeyPair) -> None:
    assert pair.private_path.stat().st_mode & 0o777 == 0o600, "whatever the umask is"
    assert pair.public_path.stat().st_mode & 0o777 == 0o644


def test_the_fingerprint_is_that_of_the_public_key(pair: KeyPair) -> None:
    body = "".join(pair.public_path.read_text().splitlines()[1:-1])
    assert pair.fingerprint == hashlib.sha256(base64.b64decode(body)).hexdigest()
    assert fingerprint_of(read_private_key(pair.private_path)) == pair.fingerprint


@openssl
def test_openssl_reads_the_pair_and_finds_it_one(pair: KeyPair, tmp_path: Path) -> None:
    assert "RSA key ok" in run_openssl("rsa", "-in", pair.private_path, "-check", "-noout")
    derived = tmp_path / "derived.pub"
    run_openssl("rsa", "-in", pair.private_path, "-pubout", "-outform", "PEM", "-out", derived)
    assert derived.read_text() == pair.public_path.read_text()


@pytest.mark.parametrize("which", ["device.key", "device.key.pub"])
@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_nothing_is_replaced(tmp_path: Path, which: str, kind: str) -> None:
    there = tmp_path / which
    if kind == "file":
        there.write_text("mine")
    elif kind == "folder":
        there.mkdir()
    else:
        there.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CredentialError, match="is not replaced") as refused:
        make_key_pair(tmp_path / "device.key")
    assert refused.value.subject == str(there)
    assert [one.name for one in tmp_path.iterdir()] == [which]
    assert kind != "file" or there.read_text() == "mine"


def test_nothing_is_replaced_by_two_at_a_time(
    tmp_path: Path, rsa_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "device.key"

    def slow(**_: Any) -> RSAPrivateKey:
        path.write_text("the other's")
        return rsa_key

    monkeypatch.setattr(rsa, "generate_private_key", slow)
    with pytest.raises(CredentialError, match="cannot be written: File exists"):
        make_key_pair(path)
    assert path.read_text() == "the other's"


def test_half_a_pair_is_not_left_behind(
    tmp_path: Path, rsa_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "device.key"

    def slow(**_: Any) -> RSAPrivateKey:
        path.with_name("device.key.pub").write_text("the other's")
        return rsa_key

    monkeypatch.setattr(rsa, "generate_private_key", slow)
    with pytest.raises(CredentialError, match="cannot be written"):
        make_key_pair(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("device.key.pub", "the other's")]


def test_a_disk_that_is_full_leaves_nothing(
    tmp_path: Path, rsa_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: rsa_key)
    monkeypatch.setattr(keys_module.os, "fsync", full)
    with pytest.raises(CredentialError, match="No space left on device"):
        make_key_pair(tmp_path / "device.key")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none(tmp_path: Path, rsa_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rsa, "generate_private_key", lambda **_: rsa_key)
    with pytest.raises(CredentialError, match="cannot be written: No such file or directory"):
        make_key_pair(tmp_path / "nowhere" / "device.key")


# Who may read a key


@posix
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_key_of_its_owner_alone_is_read(write: Callable[..., Path], rsa_key: RSAPrivateKey, mode: int) -> None:
    assert read_private_key(write(pem(rsa_key), mode)).private_numbers() == rsa_key.private_numbers()


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o610, 0o666, 0o777])
def test_a_key_that_others_may_open_is_refused(write: Callable[..., Path], rsa_key: RSAPrivateKey, mode: int) -> None:
    path = write(pem(rsa_key), mode)
    with pytest.raises(CredentialError, match=f"others may open this private key .mode {mode:o}") as refused:
        KeyAuth.from_file(path, issuer="lab", user_id="device", kid="key")
    assert refused.value.hint == f"chmod 600 '{path}'", "quoted, as the name holds a space"
    assert refused.value.subject == str(path)


@posix
def test_a_link_counts_as_what_it_leads_to(write: Callable[..., Path], rsa_key: RSAPrivateKey, tmp_path: Path) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(write(pem(rsa_key), 0o644))
    with pytest.raises(CredentialError, match="others may open"):
        read_private_key(link)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(CredentialError, match="cannot be read: No such file"):
        read_private_key(tmp_path / "nothing.pem")
    with pytest.raises(CredentialError, match="is no file"):
        read_private_key(tmp_path)
    with pytest.raises(CredentialError, match="cannot be read"):
        read_private_key("nul\0.pem")


@posix
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(CredentialError, match="is no file"):
        read_private_key(tmp_path / "pipe")


# What is a key


@pytest.mark.parametrize("pkcs8", [True, False])
@pytest.mark.parametrize("passphrase", [None, PASSPHRASE, "pässwörd"])
def test_both_forms_of_pem_with_and_without_a_passphrase(
    write: Callable[..., Path], rsa_key: RSAPrivateKey, passphrase: str | None, *, pkcs8: bool
) -> None:
    path = write(pem(rsa_key, passphrase=passphrase, pkcs8=pkcs8))
    assert read_private_key(path, passphrase).private_numbers() == rsa_key.private_numbers()


@pytest.mark.parametrize("passphrase", [None, "", "another", "half \udc80"])
def test_another_passphrase(write: Callable[..., Path], rsa_key: RSAPrivateKey, passphrase: str | None) -> None:
    path = write(pem(rsa_key, passphrase=PASSPHRASE))
    with pytest.raises(CredentialError, match="its passphrase is missing or another") as refused:
        read_private_key(path, passphrase)
    assert refused.value.subject == str(path)
    assert refused.value.__context__ is None, "the library's own error may hold what it was given"


def test_a_passphrase_for_a_key_that_has_none(write: Callable[..., Path], rsa_key: RSAPrivateKey) -> None:
    with pytest.raises(CredentialError, match="its passphrase is missing or another"):
        read_private_key(write(pem(rsa_key)), PASSPHRASE)


def public_pem(good: bytes) -> bytes:
    public = parse_private_key(good).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "words": lambda _: b"this is no key",
    "bytes": lambda _: bytes(range(256)),
    "a public key": public_pem,
    "DER": lambda good: base64.b64decode(b"".join(good.splitlines()[1:-1])),
    "a body of noise": lambda _: b"-----BEGIN PRIVATE KEY-----\nbm9pc2U=\n-----END PRIVATE KEY-----\n",
    "half": lambda good: good[: len(good) // 2],
    "a line less": lambda good: b"\n".join(good.split(b"\n")[:5] + good.split(b"\n")[6:]),
    "no end": lambda good: good.rpartition(b"-----END")[0],
    "UTF-16": lambda good: good.decode().encode("utf-16"),
    "another head": lambda good: good.replace(b"PRIVATE KEY", b"CERTIFICATE"),
}
"""What becomes of a good key's PEM."""


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage(write: Callable[..., Path], rsa_key: RSAPrivateKey, kind: str) -> None:
    content = GARBAGE[kind](pem(rsa_key))
    with pytest.raises(CredentialError, match="is no private key in PEM") as refused:
        read_private_key(write(content))
    assert "remote keygen" in refused.value.hint
    assert refused.value.__context__ is None
    with pytest.raises(CredentialError, match="is no private key in PEM"):
        KeyAuth(content, issuer="lab", user_id="device", kid="key")


OTHER_KEYS: dict[str, Callable[[], Any]] = {
    "elliptic curve": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate,
    "RSA of 1,024 bits": lambda: rsa.generate_private_key(public_exponent=65537, key_size=1024),  # noqa: S505 (it is to be refused)
}


@pytest.mark.parametrize("kind", OTHER_KEYS)
def test_keys_that_cannot_sign_rs256_safely(kind: str) -> None:
    key = OTHER_KEYS[kind]()
    for given in (key, pem(key)):
        with pytest.raises(CredentialError, match="is no RSA key of at least 2048 bits; only RS256 is allowed"):
            KeyAuth(given, issuer="lab", user_id="device", kid="key")
    with pytest.raises(CredentialError, match="is no RSA key"):
        parse_private_key(pem(key))


@pytest.mark.parametrize("given", [None, "text of a key", 7])
def test_what_is_neither_key_nor_pem(given: Any) -> None:
    with pytest.raises(CredentialError, match="is no RSA key"):
        KeyAuth(given, issuer="lab", user_id="device", kid="key")
