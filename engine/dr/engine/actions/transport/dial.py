"""Opening an SSH connection: reach, check who answers, say who we are."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Generator, Iterator
from pathlib import Path

import paramiko

from dr.engine.actions.transport.settings import HostSettings
from dr.engine.core.errors import ActionError, RefusedError, RetryableError

_KEEPALIVE_S = 15
_SILENCE_MS = 30_000
"""After this long without an acknowledged byte the kernel gives the connection up."""

# paramiko logs a traceback for every host that does not answer; what matters is raised.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def dial(host: HostSettings, through: paramiko.Transport | None = None) -> paramiko.Transport:
    """Return an authenticated connection to ``host``.

    Args:
        through: the connection to its jump host.

    Raises:
        RetryableError: it does not answer.
        RefusedError: its key is unknown or has changed, or it does not accept ours.
    """
    sock = _socket(host) if through is None else _tunnel(host, through)
    transport: paramiko.Transport | None = None
    try:
        with _explained(host):
            transport = paramiko.Transport(sock)
            transport.banner_timeout = host.connect_timeout_s
            transport.auth_timeout = host.connect_timeout_s
            known = _known_keys(host)
            _prefer(transport, known)
            transport.start_client(timeout=host.connect_timeout_s)
            _check(host, known, transport.get_remote_server_key())
            _authenticate(host, transport)
            transport.set_keepalive(_KEEPALIVE_S)
    except BaseException:
        if transport is not None:
            transport.close()
        sock.close()
        raise
    return transport


def _socket(host: HostSettings) -> socket.socket:
    try:
        sock = socket.create_connection((host.address, host.port), host.connect_timeout_s)
    except TimeoutError:
        raise RetryableError(
            f"{host.name} ({host.address}:{host.port}) did not answer within "
            f"{host.connect_timeout_s:g} s",
            reason="timeout",
        ) from None
    except (OSError, UnicodeError) as error:  # a name that no name server could be asked for
        raise RetryableError(
            f"{host.name} ({host.address}:{host.port}) can not be reached: {_words(error)}",
            reason="unreachable",
        ) from error
    # paramiko never sets NODELAY: each exec would wait 45 ms for a delayed acknowledgement
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENCE_MS)
    return sock


def _tunnel(host: HostSettings, through: paramiko.Transport) -> paramiko.Channel:
    try:
        return through.open_channel(
            "direct-tcpip",
            (host.address, host.port),
            ("127.0.0.1", 0),
            timeout=host.connect_timeout_s,
        )
    except (paramiko.SSHException, OSError, EOFError) as error:
        jump = host.jump.name if host.jump else "its jump host"
        raise RetryableError(
            f"{host.name} ({host.address}:{host.port}) can not be reached through {jump}: "
            f"{_words(error)}",
            reason="unreachable",
        ) from error


@contextlib.contextmanager
def _explained(host: HostSettings) -> Iterator[None]:
    where = f"{host.name} ({host.address}:{host.port})"
    try:
        yield
    except ActionError:
        raise
    except paramiko.AuthenticationException as error:
        raise RefusedError(
            f"{where} does not let {host.user} in: {_words(error)}",
            hint=f"Try it by hand: `ssh -i {host.identity or 'KEY'} {host.user}@{host.address}`; "
            "the public key belongs into authorized_keys there.",
        ) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        # "Error reading SSH protocol banner", "Timeout.": it took the connection and fell silent
        raise RetryableError(
            f"{where} took the connection but did not speak SSH within "
            f"{host.connect_timeout_s:g} s: {_words(error)}",
            reason="timeout",
            hint="The host may be frozen or overloaded; look at its console.",
        ) from error


def _known_keys(host: HostSettings) -> dict[str, paramiko.PKey]:
    name = host.address if host.port == 22 else f"[{host.address}]:{host.port}"  # noqa: PLR2004
    try:
        keys = paramiko.HostKeys(str(host.known_hosts))
    except FileNotFoundError:
        keys = paramiko.HostKeys()
    except OSError as error:
        raise RefusedError(f"can not read {host.known_hosts}: {_words(error)}") from error
    found = keys.lookup(name) or keys.lookup(host.name)
    if not found:
        raise RefusedError(
            f"the host key of {host.name} ({name}) is not known in {host.known_hosts}",
            hint=f"Fetch it with `ssh-keyscan -p {host.port} {host.address} >> {host.known_hosts}` "
            "and compare its fingerprint with the one on the host's console.",
        )
    return dict(found.items())


def _prefer(transport: paramiko.Transport, known: dict[str, paramiko.PKey]) -> None:
    """Ask for the types of key that we know, else the host may show one that we do not."""
    options = transport.get_security_options()
    have = {"rsa-sha2-512", "rsa-sha2-256", *known} if "ssh-rsa" in known else set(known)
    types = [each for each in options.key_types if each in have]
    if types:
        options.key_types = types


def _check(host: HostSettings, known: dict[str, paramiko.PKey], shown: paramiko.PKey) -> None:
    if known.get(shown.get_name()) == shown:
        return
    name = host.address if host.port == 22 else f"[{host.address}]:{host.port}"  # noqa: PLR2004
    raise RefusedError(
        f"{host.name} ({name}) shows another host key than the one in {host.known_hosts}: "
        f"{shown.get_name()} {shown.fingerprint}",
        hint=f"If {host.name} was reinstalled, compare the fingerprint at its console, then "
        f"`ssh-keygen -R '{name}' -f {host.known_hosts}` and `ssh-keyscan -p {host.port} "
        f"{host.address} >> {host.known_hosts}`; otherwise somebody is in between.",
    )


def _authenticate(host: HostSettings, transport: paramiko.Transport) -> None:
    refused: paramiko.AuthenticationException | None = None
    tried = 0
    with contextlib.closing(_keys(host)) as keys:  # the agent is asked to sign until then
        for key in keys:
            tried += 1
            try:
                transport.auth_publickey(host.user, key)
                return
            except paramiko.AuthenticationException as error:
                refused = error
    if refused is None:
        raise RefusedError(
            f"there is no key to log in to {host.name} with",
            hint="Name one as `identity` in dr.yaml or ansible_ssh_private_key_file, or start an "
            "agent and `ssh-add` it.",
        )
    what = f"the key {host.identity}" if host.identity and tried == 1 else f"any of {tried} keys"
    raise paramiko.AuthenticationException(f"it does not accept {what}") from refused


def _keys(host: HostSettings) -> Generator[paramiko.PKey, None, None]:
    if host.identity is not None:
        key = _key_file(host.identity)
        if key is not None:
            yield key
    agent = paramiko.Agent()
    try:
        yield from agent.get_keys()
    finally:
        agent.close()


def _key_file(path: Path) -> paramiko.PKey | None:
    try:
        return paramiko.PKey.from_path(path)
    except paramiko.PasswordRequiredException:
        return None  # the agent may hold it
    except FileNotFoundError:
        raise RefusedError(
            f"there is no key file {path}", hint="Check `identity` in dr.yaml and the inventory."
        ) from None
    except (OSError, paramiko.SSHException, ValueError) as error:
        raise RefusedError(f"can not read the key file {path}: {_words(error)}") from error


def _words(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text or type(error).__name__).rstrip(".").lower()
