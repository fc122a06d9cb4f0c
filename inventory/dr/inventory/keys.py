"""Public keys of people, as OpenSSH writes them: one line, type and blob."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

KEY_TYPES = frozenset(
    {
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-rsa",
    }
)
_SHORTEST_RSA_BLOB = 270  # a 2048-bit modulus and its framing


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key; ``blob`` is base64."""

    kind: str
    blob: str
    comment: str = ""

    @property
    def line(self) -> str:
        """Type and blob, as an allowed_signers file wants them."""
        return f"{self.kind} {self.blob}"

    @property
    def fingerprint(self) -> str:
        """The fingerprint as ``ssh-keygen -l`` shows it."""
        raw = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(raw).decode().rstrip("=")


def parse_public_key(line: str) -> PublicKey:
    """Read the line of a ``.pub`` file.

    Raises:
        ValueError: it is no public key, of a type that can not sign, or too short to be safe.
    """
    if "PRIVATE KEY" in line:
        raise ValueError("this is a private key; it must not be here")
    parts = line.split(None, 2)
    if len(parts) < 2 or "\n" in line.strip():  # noqa: PLR2004 - type and blob
        raise ValueError("this is not an SSH public key")
    kind, blob = parts[0], parts[1]
    if kind not in KEY_TYPES:
        raise ValueError(f"'{kind}' is not a kind of SSH key that can sign")
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the key is damaged: it is not base64") from None
    length = int.from_bytes(raw[:4], "big")
    if raw[4 : 4 + length] != kind.encode() or len(raw) <= 4 + length:
        raise ValueError(f"the key is damaged: its inside does not say {kind}")
    if kind == "ssh-rsa" and len(raw) < _SHORTEST_RSA_BLOB:
        raise ValueError("the RSA key is shorter than 2048 bits")
    return PublicKey(kind, blob, parts[2].strip() if len(parts) > 2 else "")  # noqa: PLR2004
