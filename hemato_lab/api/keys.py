"""RSA keys in files: making a pair in the document's PEM format, and reading a private key that only its owner may.

The document makes keys with ``ssh-keygen -t rsa -b 4096 -m PEM`` (PKCS #1) and ``openssl rsa -pubout``
(SubjectPublicKeyInfo).
"""

from __future__ import annotations

import os
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hemato_lab.errors import CredentialError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

KEY_BITS: Final = 4096
"""Length of new keys (vendor's document, "How to create your own keys")."""
_FEWEST_BITS: Final = 2048


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Files of a new pair of keys.

    Attributes
    ----------
    private_path, public_path : Path
        The private key stays here, mode 600; the public one is registered with the service.
    fingerprint : str
        SHA-256 of the public key (DER) in hex, to compare over the telephone.
    """

    private_path: Path
    public_path: Path
    fingerprint: str


def make_key_pair(path: str | os.PathLike[str]) -> KeyPair:
    """Make a private key at a path and its public key beside it, with ``.pub`` added to the name.

    Raises
    ------
    CredentialError
        If one of the files exists or cannot be written; nothing is replaced.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private_path = Path(path)
    public_path = private_path.with_name(private_path.name + ".pub")
    for each in (private_path, public_path):
        if each.exists() or each.is_symlink():
            raise CredentialError("exists already and is not replaced", subject=str(each), hint="choose another name")
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    _write_new(
        private_path,
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ),
        0o600,
    )
    public = key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        _write_new(public_path, pem, 0o644)
    except CredentialError:
        private_path.unlink(missing_ok=True)  # half a pair would be in the way of the next try
        raise
    return KeyPair(private_path, public_path, fingerprint_of(key))


def fingerprint_of(key: RSAPrivateKey) -> str:
    """Return the SHA-256 of the public key of a private one, in hex."""
    import hashlib

    from cryptography.hazmat.primitives import serialization

    public = key.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def read_private_key(path: str | os.PathLike[str], passphrase: str | None = None) -> RSAPrivateKey:
    """Read a private key from a file that nobody but its owner can open.

    Raises
    ------
    CredentialError
        If it is missing, no file, open to others, no RSA key of at least 2,048 bits, or locked by another passphrase.
    """
    try:
        return parse_private_key(_content_of(Path(path)), subject=str(path), passphrase=passphrase)
    finally:
        del passphrase


def _content_of(file: Path) -> bytes:
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):  # a pipe would be waited for, and a folder's mode is not that of a key
            raise CredentialError("is no file", subject=str(file), hint="check the path")
        if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
            raise CredentialError(
                f"others may open this private key (mode {stat.S_IMODE(mode):o})",
                subject=str(file),
                hint=f"chmod 600 {shlex.quote(str(file))}",
            )
        return file.read_bytes()
    except (OSError, ValueError) as error:
        problem = f"the private key cannot be read: {getattr(error, 'strerror', None) or 'unknown reason'}"
    raise CredentialError(problem, subject=str(file), hint="check the path")


def parse_private_key(
    content: bytes, *, subject: str = "the private key", passphrase: str | None = None
) -> RSAPrivateKey:
    """Read a private key from PEM; raises CredentialError as `read_private_key` does."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(content, None if passphrase is None else passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    finally:
        del passphrase, content
    if key is None:
        raise CredentialError(
            "is no private key in PEM, or its passphrase is missing or another",
            subject=subject,
            hint="make one with: hemato-lab remote keygen",
        )
    return checked_key(key, subject)


def checked_key(key: object, subject: str = "the private key") -> RSAPrivateKey:
    """Return a private key that tokens may be signed with.

    Raises
    ------
    CredentialError
        If it is no RSA key of at least 2,048 bits.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    if isinstance(key, RSAPrivateKey) and key.key_size >= _FEWEST_BITS:
        return key
    del key  # it may be the text of one
    raise CredentialError(
        f"is no RSA key of at least {_FEWEST_BITS} bits; only RS256 is allowed",
        subject=subject,
        hint="make one with: hemato-lab remote keygen",
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    handle = None
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        problem = f"cannot be written: {error.strerror or 'unknown reason'}"
    else:
        return
    finally:
        del content
    if handle is not None:
        path.unlink(missing_ok=True)  # a part of a key, made here
    raise CredentialError(problem, subject=str(path), hint="choose another folder")
