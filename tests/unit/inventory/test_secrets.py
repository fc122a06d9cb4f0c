"""Secrets: found by reference, and taken out of every text."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dr.engine.core.errors import RefusedError
from dr.inventory.redaction import MASK, Redactor
from dr.inventory.secrets import SecretsInUse, resolve

_PEM = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\nAAAABG5vbmUA\n"
    "-----END OPENSSH PRIVATE KEY-----"
)
_words = st.text(
    st.characters(exclude_categories=["Cs", "Zs", "Cc"], exclude_characters="*"),
    min_size=6,
    max_size=40,
)
_texts = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(
            [_PEM, "password=", "PASSWORD: 'a b' ", 'token "', "://u:pw@h/", "-----BEGIN ", "\n"]
        ),
    ),
    max_size=12,
)


def _cut(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(c, len(text)) for c in cuts})
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]


@given(_words, _texts, _texts, st.lists(st.integers(0, 2000), max_size=10))
@example("hunter22", ["x"], ["y"], [1, 3, 5, 8])
@example("a,b;c d12", ["password="], [" tail"], [10, 12])
def test_the_same_is_taken_out_however_the_text_is_cut(
    secret: str, before: list[str], after: list[str], cuts: list[int]
) -> None:
    text = "".join(before) + secret + "".join(after)
    redactor = Redactor([secret])
    pieces = "".join(redactor.feed(chunk) for chunk in _cut(text, cuts)) + redactor.flush()
    assert pieces == redactor.redact(text)
    assert secret not in pieces


@given(_words, st.binary(max_size=7), st.binary(max_size=7))
def test_no_usual_spelling_of_a_secret_survives(secret: str, before: bytes, after: bytes) -> None:
    redact = Redactor([secret]).redact
    plain = base64.b64encode(secret.encode()).decode()
    assert plain not in redact(f"x {plain} y")
    assert quote(secret, safe="") not in redact(f"GET /?p={quote(secret, safe='')} ")
    assert secret not in redact(f"+ psql {shlex.quote(secret)}")
    embedded = base64.b64encode(before + secret.encode() + after).decode()
    if len(secret.encode()) >= 9:
        assert MASK in redact(embedded)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2 host=db", "password=*** host=db"),
        ('{"password": "a b c", "x": 1}', '{"password": ***, "x": 1}'),
        ("PGPASSWORD='it is' psql", "PGPASSWORD=*** psql"),
        ("postgresql://app:pw@db/registry", "postgresql://app:***@db/registry"),
        (f"key:\n{_PEM}\ndone", f"key:\n{MASK}\ndone"),
        ("密码：x 密码=hunter2", "密码：x 密码=***"),
        ("nothing to hide", "nothing to hide"),
        ("the password was changed", "the password was changed"),
    ],
)
def test_patterns_are_taken_out(text: str, expected: str) -> None:
    assert Redactor().redact(text) == expected


def test_a_short_value_is_not_looked_for() -> None:
    assert Redactor(["root"]).redact("root logged in") == "root logged in"


def test_a_private_key_without_end_does_not_swallow_the_log_for_ever() -> None:
    redactor = Redactor()
    out = redactor.feed("-----BEGIN PRIVATE KEY-----" + "x" * 70_000 + " still here" + " " * 400)
    assert "still here" in out + redactor.flush()


def test_a_gigabyte_on_one_line_is_not_kept_in_memory() -> None:
    redactor = Redactor(["correct-horse"])
    written = 0
    for _ in range(200):
        written += len(redactor.feed("x" * 50_000))
    assert written > 200 * 50_000 - 1_000
    assert len(redactor._known._buffer) + len(redactor._named._buffer) < 1_000


def _file(folder: Path, mode: int = 0o600, text: str = "correct-horse\n") -> Path:
    path = folder / "app.password"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_each_reference_finds_its_secret(tmp_path: Path) -> None:
    _file(tmp_path)
    environ = {"APP": "correct-horse", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    for reference in (
        "env:APP",
        "file:app.password",
        f"file:{tmp_path}/app.password",
        "cred:app.password",
        'exec:["cat", "app.password"]',
        {"secret": "file:app.password"},
    ):
        secret = resolve(reference, tmp_path, environ=environ)
        assert secret.reveal() == "correct-horse"
        assert "correct" not in f"{secret} {secret!r}"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:NOT_SET", "NOT_SET is not set"),
        ("file:none", "there is no file"),
        ("file:.", "is not an ordinary file|cannot be read"),
        ("cred:app", "needs systemd"),
        ('exec:["false"]', "ended with 1"),
        ('exec:["/nonexistent"]', "cannot be started"),
        ("exec:cat x", "not followed by a list"),
        ('exec:["true"]', "is empty"),
        ("hunter2", "names no secret"),
        ("vault:x", "names no secret"),
    ],
)
def test_what_can_not_be_resolved_is_refused_with_a_hint(
    tmp_path: Path, reference: str, message: str
) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        resolve(reference, tmp_path, environ={})
    assert caught.value.hint
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    _file(tmp_path, mode)
    with pytest.raises(RefusedError, match="can be read by others") as caught:
        resolve("file:app.password", tmp_path)
    assert "chmod 600" in caught.value.hint


def test_a_credential_can_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    _file(tmp_path)
    (tmp_path / "creds").mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "creds")}
    with pytest.raises(RefusedError, match="no credential called"):
        resolve("cred:../app.password", tmp_path, environ=environ)


def test_what_was_resolved_is_hidden_from_then_on(tmp_path: Path) -> None:
    _file(tmp_path)
    secrets = SecretsInUse(tmp_path)
    assert secrets.redact("correct-horse") == "correct-horse"
    secrets.resolve("file:app.password")
    assert secrets.redact("a correct-horse b") == "a *** b"
