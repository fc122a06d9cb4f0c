"""What a host has of its own in /etc, /root and /var, written before it is first switched on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from dr.lab.keys import public_key
from dr.lab.plan import Accounts, LabPlan
from dr.lab.postgres import PGBACKREST_CONF, REPOSITORY, SOCKET_DIR, STANZA
from dr.lab.topology import DATABASE_ROLES, PREFIX, Cluster, Host, Role

HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
ADDRESSES = "etc/dr-addresses"
FENCED = "var/lib/dr/fenced"
_DATABASE_KEY = "etc/pgbackrest/id_ed25519"
# the machine's own must not show through: keys, shell start-up files, clusters, people
_OPAQUE = ("root", "home", "etc/ssh", "etc/postgresql", "var/lib/dr", "var/log/postgresql")
_SECOND = (9, 8)
MACHINE_ETC = "/.machine-etc"
"""Where a host of an ordinary user's lab sees this machine's /etc: files not its own link there."""
# programs and their libraries; on most machines all but /usr are links into it
_BORROWED = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
_MOUNT_POINTS = ("proc", "sys", "dev", "run", "tmp", "var/tmp", "var/lib", "var/log", "var/spool")


@cache
def _ssh_version() -> tuple[int, int]:
    shown = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=False).stderr
    match = re.search(r"OpenSSH_(\d+)\.(\d+)", shown)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def login_path(plan: LabPlan) -> str:
    """Return PATH of a session on a host."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return f"{path}:{plan.installation.bin_dir}" if plan.installation else path


def host_keys(plan: LabPlan) -> dict[Path, str]:
    """List the key pairs that the hosts need, with their comments."""
    keys = {plan.upper(host.name) / HOST_KEY: host.name for host in plan.topology.hosts}
    keys[plan.directory / "postgres_ed25519"] = "postgres@lab"
    return keys


def known_hosts(plan: LabPlan) -> str:
    """Return the known_hosts file that names every host."""
    lines = []
    for host in plan.topology.hosts:
        kind, key, *_ = public_key(plan.upper(host.name) / HOST_KEY).split()
        lines.append(f"{host.name},{host.address} {kind} {key}\n")
    return "".join(lines)


def names_file(plan: LabPlan) -> str:
    """Return /etc/hosts of the lab: there is no resolver."""
    lines = ["127.0.0.1 localhost"]
    lines += [f"{host.address} {host.name}" for host in plan.topology.hosts]
    lines += [f"{cluster.address} {cluster.address_name}" for cluster in plan.topology.clusters]
    return "\n".join(lines) + "\n"


def borrowed_trees() -> list[str]:
    """List this machine's directories that a host of an ordinary user's lab sees."""
    paths = [Path("/", name) for name in _BORROWED]
    return [str(path) for path in paths if path.is_dir() and not path.is_symlink()]


def write_host_files(plan: LabPlan, host: Host, engine_key: str, names: str, known: str) -> None:
    """Write everything that makes ``host`` itself."""
    upper = plan.upper(host.name)
    for name in ("work", "root"):
        (plan.host_folder(host.name) / name).mkdir(parents=True, exist_ok=True)
    for name in _OPAQUE:
        (upper / name).mkdir(parents=True, exist_ok=True)
        if plan.privileged:
            os.setxattr(upper / name, "trusted.overlay.opaque", b"y")
    (upper / "root").chmod(0o700)
    home = upper / plan.accounts.home.lstrip("/")
    _write(upper / "etc/hosts", names)
    _write(upper / "etc/hostname", f"{host.name}\n")
    _write(upper / "etc/resolv.conf", "# the lab has no resolver: see /etc/hosts\n")
    _write(upper / "etc/machine-id", os.urandom(16).hex() + "\n")
    _write(upper / "etc/environment", f'PATH="{login_path(plan)}"\nLANG=C.UTF-8\n')
    _write(home / ".ssh/authorized_keys", f"{engine_key}\n", mode=0o600)
    (home / ".ssh").chmod(0o700)
    _write(upper / "etc/ssh/sshd_config", _sshd_config(plan))
    _write(upper / "etc/ssh/ssh_known_hosts", known)
    _write(upper / "etc/shadow", _shadow(), mode=0o640)
    (upper / FENCED).mkdir(parents=True, exist_ok=True)
    _write_addresses(plan, host, upper)
    if plan.golden is not None and (host.role in DATABASE_ROLES or host.role is Role.BACKUP):
        _write_database_files(plan, host, upper)
    if not plan.privileged:
        _write_whole_root(plan, upper)


def _write_whole_root(plan: LabPlan, upper: Path) -> None:
    """Complete ``upper`` to a root file system of its own, where no overlay shows the machine's."""
    for name in (*_MOUNT_POINTS, MACHINE_ETC.lstrip("/")):
        (upper / name).mkdir(parents=True, exist_ok=True)
    (upper / "var/tmp").chmod(0o1777)
    (upper / "var/run").symlink_to("/run")
    (upper / "var/lock").symlink_to("/run/lock")
    for name in _BORROWED:
        path = Path("/", name)
        if path.is_symlink():
            (upper / name).symlink_to(path.readlink())
        elif path.is_dir():
            (upper / name).mkdir()
    _write(upper / "etc/passwd", _passwd(plan.accounts))
    _write(upper / "etc/group", _group())
    for entry in os.listdir("/etc"):
        if not (upper / "etc" / entry).exists():
            (upper / "etc" / entry).symlink_to(f"{MACHINE_ETC}/{entry}")


def _passwd(accounts: Accounts) -> str:
    """Return this machine's /etc/passwd, with the home and the shell that the user has here."""
    lines = Path("/etc/passwd").read_text().splitlines()
    kept = [line for line in lines if line.split(":")[0] != accounts.login]
    user, group = os.geteuid(), os.getegid()
    own = f"{accounts.login}:x:{user}:{group}::{accounts.home}:/bin/bash"
    return "\n".join([own, *kept]) + "\n"


def _group() -> str:
    """Return this machine's /etc/group without ``tty``: nobody here can give a terminal to it."""
    lines = Path("/etc/group").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("tty:")) + "\n"


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(text)


def _shadow() -> str:
    """Return /etc/shadow without passwords; '*', because sshd takes '!' for a locked account."""
    users = [line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines() if line]
    return "".join(f"{user}:*:19000:0:99999:7:::\n" for user in users)


def _sshd_config(plan: LabPlan) -> str:
    lines = [
        "Port 22",
        f"HostKey /{HOST_KEY}",
        "PidFile /run/sshd.pid",
        "PermitRootLogin prohibit-password",
        "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u",
        "UsePAM no",
        "UseDNS no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PrintMotd no",
        "PrintLastLog no",
        # the default drops parallel log-ins to one host
        "MaxStartups 200:30:400",
        "MaxSessions 100",
        f"SetEnv PATH={login_path(plan)} LANG=C.UTF-8",
        "Subsystem sftp internal-sftp",
        "LogLevel INFO",
    ]
    if _ssh_version() >= _SECOND:
        lines.append("PerSourcePenalties no")  # a port probe would get the control host banned
    return "\n".join(lines) + "\n"


def _write_addresses(plan: LabPlan, host: Host, upper: Path) -> None:
    lines = [
        "# Service addresses that this host takes at boot: ADDRESS/PREFIX INTERFACE, one a line.",
        "# None is taken while a file lies in /var/lib/dr/fenced.",
    ]
    cluster = plan.topology.cluster_of(host.name)
    if cluster is not None and cluster.primary == host.name:
        lines.append(f"{cluster.address}/{PREFIX} eth0")
    _write(upper / ADDRESSES, "\n".join(lines) + "\n")


def _write_database_files(plan: LabPlan, host: Host, upper: Path) -> None:
    """Let the database's user of this host archive to, and restore from, the backup host."""
    cluster = plan.topology.cluster_of(host.name) or next(
        one for one in plan.topology.clusters if one.backup == host.name
    )
    key = plan.directory / "postgres_ed25519"
    _write(upper / _DATABASE_KEY, key.read_text(), mode=0o600)
    database = plan.accounts.database
    _write(upper / f"etc/ssh/authorized_keys.d/{database}", f"{public_key(key)}\n")
    _write(
        upper / "etc/ssh/ssh_config",
        f"Host *\n  IdentityFile /{_DATABASE_KEY}\n  IdentitiesOnly yes\n  ConnectTimeout 5\n"
        "  UpdateHostKeys no\n  UserKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n",
    )
    _write(upper / PGBACKREST_CONF.lstrip("/"), _pgbackrest_conf(plan, host, cluster), mode=0o640)
    folders = ("var/log/pgbackrest", "var/spool/pgbackrest", "var/log/postgresql")
    for folder in folders:
        (upper / folder).mkdir(parents=True, exist_ok=True)
    if plan.privileged:
        owned = (_DATABASE_KEY, PGBACKREST_CONF.lstrip("/"), *folders)
        for name in owned:
            shutil.chown(upper / name, "postgres", "postgres")


def _pgbackrest_conf(plan: LabPlan, host: Host, cluster: Cluster) -> str:
    assert plan.installation is not None  # noqa: S101  there is a database, so there is a server
    lines = [
        "[global]",
        "repo1-retention-full=4",
        "compress-type=lz4",
        "process-max=2",
        "start-fast=y",
        "log-level-console=warn",
        "log-level-file=info",
        "io-timeout=20",
        "db-timeout=30",
        "protocol-timeout=60",
        "archive-timeout=30",
        f"repo1-path={REPOSITORY}",
    ]
    if host.name != cluster.backup:
        lines += [f"repo1-host={cluster.backup}", f"repo1-host-user={plan.accounts.database}"]
    lines += ["", f"[{STANZA}]"]
    # a repository host asks all members and finds the primary among them
    others = cluster.members if host.role is Role.BACKUP else ()
    for number, member in enumerate(others, 1):
        lines += [
            f"pg{number}-host={member}",
            f"pg{number}-host-user={plan.accounts.database}",
            f"pg{number}-user=postgres",
            f"pg{number}-path={plan.installation.data_dir}",
            f"pg{number}-socket-path={SOCKET_DIR}",
        ]
    if not others:
        lines += [f"pg1-path={plan.installation.data_dir}", f"pg1-socket-path={SOCKET_DIR}"]
        lines += ["pg1-user=postgres"]
    return "\n".join(lines) + "\n"
