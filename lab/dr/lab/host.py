"""A host: its namespaces, its root file system, and its first process."""

from __future__ import annotations

import encodings.idna  # noqa: F401  nothing can be imported once the host's own root is entered
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
import traceback
import uuid
from contextlib import suppress
from pathlib import Path

from dr.lab import kernel
from dr.lab.fabric import disable_ipv6, ip_batch
from dr.lab.hostfiles import ADDRESSES, FENCED, login_path
from dr.lab.mailsink import serve_mail
from dr.lab.office import OfficeSettings, run_office
from dr.lab.plan import LabPlan
from dr.lab.postgres import LOG, SOCKET_DIR, as_postgres
from dr.lab.rootfs import MAIL, enter_root
from dr.lab.topology import PREFIX, Host, Role

_SSHD = "/usr/sbin/sshd"
_BOOT_LOG = "/var/log/boot.log"
_RESTART_S = 0.5


def boot(plan: LabPlan, host: Host, volumes: dict[str, Path], ready: int) -> None:
    """Become ``host``.  Runs as PID 1 of fresh namespaces, eth0 already inside; never returns.

    Args:
        volumes: where the world has each volume mounted, by where the host sees it.
        ready: a pipe that gets ``ok`` once the host is set up.
    """
    boot_id = str(uuid.uuid4())
    kernel.make_mounts_private()
    enter_root(plan, host, volumes, boot_id)
    socket.sethostname(host.name)
    kernel.drop_machine_capabilities()
    disable_ipv6()
    with open(_BOOT_LOG, "ab", 0) as log, open("/dev/null", "rb") as nothing:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        os.dup2(nothing.fileno(), 0)
    os.write(1, f"{time.strftime('%FT%TZ', time.gmtime())} boot {boot_id}\n".encode())
    addresses = [] if _fenced() else _own_addresses()
    ip_batch(
        [
            "link set lo up",
            f"addr add {host.address}/{PREFIX} dev eth0",
            *(f"addr add {address} dev {interface}" for address, interface in addresses),
            "link set eth0 up",
        ]
    )
    for address, interface in addresses:
        announce(interface, address.split("/")[0])
    os.write(ready, f"{boot_id}\n".encode())
    os.close(ready)
    _Init(plan, host).run()


def _fenced() -> bool:
    """Tell whether this host was fenced from its service, in a way that outlives a power cycle."""
    with suppress(FileNotFoundError):
        return any(not path.name.startswith(".") for path in Path("/", FENCED).iterdir())
    return False


def _own_addresses() -> list[tuple[str, str]]:
    found = []
    with suppress(FileNotFoundError):
        for line in Path("/", ADDRESSES).read_text().splitlines():
            words = line.split("#")[0].split()
            if words:
                found.append((words[0], words[1] if len(words) > 1 else "eth0"))
    return found


def announce(interface: str, address: str) -> None:
    """Send gratuitous ARP, so that neighbours look for ``address`` here from now on."""
    ip = socket.inet_aton(address)
    everybody = b"\xff" * 6
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as raw:
        raw.bind((interface, 0))
        mac: bytes = raw.getsockname()[4]
        request = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + ip + everybody + ip
        for _ in range(3):
            raw.send(everybody + mac + struct.pack("!H", 0x0806) + request)


class _Init:
    """PID 1: starts the services, and reaps everything that is left to it."""

    def __init__(self, plan: LabPlan, host: Host) -> None:
        self.plan = plan
        self.host = host
        self.environment = {"PATH": login_path(plan), "LANG": "C.UTF-8"}
        self.environment["HOME"] = plan.accounts.home
        self.kept: dict[int, str] = {}

    def run(self) -> None:
        for folder in ("/run/sshd", SOCKET_DIR):
            Path(folder).mkdir(mode=0o755, exist_ok=True)
        if self.plan.installation is not None and self.plan.privileged:
            shutil.chown(SOCKET_DIR, "postgres", "postgres")
        sshd = [_SSHD, "-D", "-e", "-f", "/etc/ssh/sshd_config"]
        if self.host.role is Role.PLAIN:
            # sshd reaps whatever is left to it, so it can be PID 1 itself and save a Python
            os.execve(_SSHD, sshd, self.environment)  # noqa: S606  no shell is wanted
        kernel.name_process("init")
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        services = ["sshd"]
        if self.host.role is Role.CONTROL:
            services.append("mail")
        if self.host.role is Role.BRANCH:
            services.append("office")
        for service in services:
            self._spawn(service)
        self._start_postgres()
        self._reap()

    def _spawn(self, service: str) -> None:
        pid = os.fork()
        if pid:
            self.kept[pid] = service
            return
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            kernel.name_process(service)
            match service:
                case "sshd":
                    command = [_SSHD, "-D", "-e", "-f", "/etc/ssh/sshd_config"]
                    os.execve(_SSHD, command, self.environment)  # noqa: S606  no shell is wanted
                case "mail":
                    serve_mail(self.host.address, Path(MAIL))
                case "office":
                    run_office(office_settings(self.plan, self.host))
        except BaseException:  # noqa: BLE001  a forked child must end here, whatever happens
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)

    def _start_postgres(self) -> None:
        """Start the cluster if there is one and nobody fenced this host from it; once per boot."""
        installation = self.plan.installation
        if installation is None or _fenced():
            return
        data = installation.data_dir
        try:
            if not Path(data, "PG_VERSION").exists():
                return
        except OSError as error:
            os.write(2, f"the storage of the database is not readable: {error}\n".encode())
            return
        command = [installation.program("pg_ctl"), "-D", data, "-l", LOG, "-s", "-W", "start"]
        subprocess.Popen(
            [*as_postgres(), *command], env=self.environment, cwd="/", start_new_session=True
        )

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.wait()
            except ChildProcessError:
                time.sleep(_RESTART_S)
                continue
            service = self.kept.pop(pid, None)
            if service is not None:
                time.sleep(_RESTART_S)
                self._spawn(service)


def office_settings(plan: LabPlan, host: Host) -> OfficeSettings:
    """Return how the office on ``host`` works; it reaches the register by its service address."""
    cluster = plan.topology.clusters[0]
    conninfo = {
        "host": cluster.address_name,
        "port": "5432",
        "dbname": "registry",
        "user": "app",
        "password": plan.passwords["app"],
        "application_name": host.name,
        "connect_timeout": "3",
        "keepalives_idle": "3",
        "keepalives_interval": "1",
        "keepalives_count": "3",
        "tcp_user_timeout": "3000",
        "sslmode": "disable",
        "gssencmode": "disable",
    }
    return OfficeSettings(
        branch=host.name,
        conninfo=" ".join(f"{key}={value}" for key, value in conninfo.items()),
        parcels=max(10, plan.options.rows * 25 // 100),
        rate=plan.options.rate,
    )
