"""The files that a host sees: its own, over or beside this machine's programs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from dr.lab import kernel
from dr.lab.hostfiles import MACHINE_ETC, borrowed_trees
from dr.lab.plan import LabPlan
from dr.lab.topology import Host, Role

MAIL = "/var/mail/lab"
_QUIET = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "fd/0",
    "stdout": "fd/1",
    "stderr": "fd/2",
    "ptmx": "pts/ptmx",
}


def enter_root(plan: LabPlan, host: Host, volumes: dict[str, Path], boot_id: str) -> None:
    """Make the host's own files ``/`` of this mount namespace, and forget the machine's.

    Args:
        volumes: where the world has each volume mounted, by where the host sees it.
    """
    new = plan.host_folder(host.name) / "root"
    if plan.privileged:
        _lay_over_machine(plan, host, new)
    else:
        _borrow_from_machine(plan, host, new)
    _make_devices(new, plan)
    for name, mode in (("dev/shm", "1777"), ("run", "755"), ("tmp", "1777")):
        flags = kernel.MS_NOSUID | kernel.MS_NODEV
        kernel.mount("tmpfs", new / name, "tmpfs", flags, f"mode={mode},size=256m")
    _show_boot_id(new, boot_id)
    _hide(new, plan)
    for target, source in volumes.items():
        inside = new / target.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        kernel.bind(source, inside)
    if host.role is Role.CONTROL:
        inside = new / MAIL.lstrip("/")
        inside.mkdir(parents=True, exist_ok=True)
        kernel.bind(plan.directory / "mail", inside)
    kernel.pivot_into(new)


def _lay_over_machine(plan: LabPlan, host: Host, new: Path) -> None:
    """Show the machine's files with the host's own on top; all that is written stays there."""
    folder = plan.host_folder(host.name)
    layers = f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work"
    kernel.mount("lab-root", new, "overlay", 0, layers)
    kernel.mount("proc", new / "proc", "proc", _QUIET)
    kernel.mount("sysfs", new / "sys", "sysfs", _QUIET)
    _guard_kernel_settings(new)


def _borrow_from_machine(plan: LabPlan, host: Host, new: Path) -> None:
    """Show the host's own files with the machine's programs among them, read-only.

    An overlay of ``/`` is refused to whoever is not root: it would uncover what mounts cover.
    """
    kernel.bind(plan.upper(host.name), new)
    kernel.mount("proc", new / "proc", "proc", _QUIET)
    with suppress(OSError):  # nothing of the lab needs it, and some containers forbid it
        kernel.mount("sysfs", new / "sys", "sysfs", _QUIET)
    for path in borrowed_trees():
        kernel.bind_tree(path, new / path.lstrip("/"))
    kernel.bind_tree("/etc", new / MACHINE_ETC.lstrip("/"))


def _make_devices(new: Path, plan: LabPlan) -> None:
    """Give root in the host harmless nodes only: it must not reach this machine's disk."""
    devices = new / "dev"
    kernel.mount("tmpfs", devices, "tmpfs", kernel.MS_NOSUID, "mode=755,size=64k")
    for name in _DEVICES:
        (devices / name).touch()
        kernel.bind(f"/dev/{name}", devices / name)
    for name, target in _DEVICE_LINKS.items():
        (devices / name).symlink_to(target)
    (devices / "pts").mkdir()
    (devices / "shm").mkdir()
    options = "newinstance,ptmxmode=0666,mode=620"
    if plan.privileged:
        options += ",gid=5"  # Debian's and Ubuntu's group tty
    kernel.mount("devpts", devices / "pts", "devpts", 0, options)


def _guard_kernel_settings(new: Path) -> None:
    """Make what belongs to the whole machine read-only; network settings are the host's own."""
    for name in ("sys/kernel", "sys/vm", "sys/fs", "irq", "bus"):
        path = new / "proc" / name
        if path.exists():
            kernel.bind(path, path, read_only=True)
    if (new / "proc/sysrq-trigger").exists():
        kernel.bind("/dev/null", new / "proc/sysrq-trigger")
    kernel.mount(None, new / "sys", None, kernel.MS_REMOUNT | kernel.MS_RDONLY)


def _show_boot_id(new: Path, boot_id: str) -> None:
    own = new / "run/.boot_id"
    own.write_text(f"{boot_id}\n")
    kernel.bind(own, new / "proc/sys/kernel/random/boot_id")


def _hide(new: Path, plan: LabPlan) -> None:
    """Cover the lab's own directory, its cache and the checkout."""
    checkout = Path(__file__).resolve().parents[3]
    hidden = [plan.directory, plan.options.cache]
    if (checkout / "pyproject.toml").exists():
        hidden.append(checkout)
    for path in hidden:
        inside = new / str(path).lstrip("/")
        if inside.is_dir():
            flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_RDONLY
            kernel.mount("tmpfs", inside, "tmpfs", flags, "mode=755,size=4k")
