"""The storage of a host: mounted by the world, shown to the host, broken on request.

The world keeps every volume mounted whether its host is on or off, as a storage array does.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dr.lab import kernel
from dr.lab.errors import LabError
from dr.lab.golden import Golden, make_image

_BALLOON = ".lab-balloon"


class VolumeKind(StrEnum):
    """What a volume is made of."""

    LOOP = "loop"
    """An own ext4 file system: can die, hang and fill up without touching anything else."""
    OVERLAY = "overlay"
    """A directory over the golden one: nothing is copied."""
    PLAIN = "plain"
    """An empty directory."""


@dataclass(frozen=True, slots=True)
class VolumeSpec:
    """What a host's volume is to be."""

    host: str
    kind: VolumeKind
    target: str
    """Where the host sees it."""
    lower: Path | None = None
    """For an overlay: what lies below."""


class Volume:
    """One volume, as the world sees it."""

    def __init__(self, spec: VolumeSpec, folder: Path) -> None:
        self.spec = spec
        self.folder = folder / Path(spec.target).name
        self.mount_point = self.folder / "mount"
        self.image = self.folder / "volume.ext4"
        self.state = "ok"

    def prepare(self, golden: Golden | None) -> list[str] | None:
        """Make the files; return a command to run in parallel that finishes the job."""
        for name in ("mount", "upper", "work"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if self.spec.kind is VolumeKind.LOOP and golden is not None:
            return ["cp", "--sparse=always", "--reflink=auto", str(golden.image()), str(self.image)]
        if self.spec.lower is not None:
            # an overlay shows the owner and mode of its topmost root
            stat = self.spec.lower.stat()
            os.chown(self.folder / "upper", stat.st_uid, stat.st_gid)
            (self.folder / "upper").chmod(stat.st_mode & 0o7777)
        return None

    def attach(self) -> None:
        """Mount the volume in the world."""
        upper, work = self.folder / "upper", self.folder / "work"
        match self.spec.kind:
            case VolumeKind.LOOP:
                self._mount_image()
            case VolumeKind.OVERLAY:
                layers = f"lowerdir={self.spec.lower},upperdir={upper},workdir={work}"
                layers += kernel.overlay_options()
                kernel.mount("lab-volume", self.mount_point, "overlay", 0, layers)
            case VolumeKind.PLAIN:
                kernel.bind(upper, self.mount_point)

    def _mount_image(self) -> None:
        subprocess.run(
            ["mount", "-o", "loop,noatime", str(self.image), str(self.mount_point)], check=True
        )

    def _needs_loop(self, what: str) -> None:
        if self.spec.kind is not VolumeKind.LOOP:
            raise LabError(
                f"the volume of {self.spec.host} cannot {what}: it is a directory of this "
                "machine's own file system",
                hint="Type 'dr lab down', then 'dr lab up --volume loop' as root.",
            )

    def kill(self) -> None:
        """Lose the storage: I/O errors from a loop volume, an empty directory otherwise."""
        if self.spec.kind is VolumeKind.LOOP:
            kernel.shut_filesystem_down(self.mount_point)
        else:
            for path in self.mount_point.iterdir():
                shutil.rmtree(path, ignore_errors=True)
        self.state = "killed"

    def hang(self) -> None:
        """Make every write wait."""
        self._needs_loop("hang")
        kernel.freeze_filesystem(self.mount_point)
        self.state = "hung"

    def unhang(self) -> None:
        with suppress(OSError):
            kernel.thaw_filesystem(self.mount_point)
        if self.state == "hung":
            self.state = "ok"

    def fill(self) -> None:
        """Take all space that is left."""
        self._needs_loop("be filled up")
        size = 0
        with (self.mount_point / _BALLOON).open("wb") as file:
            for step in (16 << 20, 1 << 20, 64 << 10, 4 << 10):
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), size, step)
                        size += step
        self.state = "full"

    def empty_out(self) -> None:
        """Take back what :meth:`fill` wrote."""
        (self.mount_point / _BALLOON).unlink(missing_ok=True)
        if self.state == "full":
            self.state = "ok"

    def replace(self) -> int:
        """Put a fresh empty device in place of this one.

        Returns:
            A detached mount of it, to be attached in the host; the caller closes it.
        """
        with suppress(OSError):
            kernel.unmount(self.mount_point, detach=True)
        if self.spec.kind is VolumeKind.LOOP:
            self.image.unlink()
            make_image(self.image)
            self._mount_image()
        else:
            upper = self.folder / "upper"
            shutil.rmtree(upper)
            upper.mkdir()
            kernel.bind(upper, self.mount_point)
        shutil.rmtree(self.mount_point / "lost+found", ignore_errors=True)
        self.state = "ok"
        return kernel.clone_mount(self.mount_point)


def thaw_leftovers(directory: Path) -> None:
    """Thaw every volume of the lab in ``directory`` that was left frozen.

    A frozen file system keeps its writers in an uninterruptible sleep that outlives even the
    death of the world.  Mounting the same loop device once more gives a handle to thaw it.
    """
    for name in loops_of(directory):
        _thaw_device(f"/dev/{name}")


def _thaw_device(device: str) -> None:
    child = kernel.fork()
    if child == 0:
        try:
            kernel.unshare(kernel.CLONE_NEWNS)
            kernel.make_mounts_private()
            kernel.mount("tmpfs", "/mnt", "tmpfs")
            Path("/mnt/v").mkdir()
            kernel.mount(device, "/mnt/v", "ext4")
            kernel.thaw_filesystem("/mnt/v")
        except OSError:
            os._exit(1)  # it was not frozen
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def loops_of(directory: Path) -> list[str]:
    """Return the loop devices whose image lies in ``directory``.

    Loop devices are the kernel's, paths are not: a container beside this one may well have a lab of
    the same name.  So the name alone says nothing as long as there is a file to compare with.
    """
    found = []
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with suppress(OSError):
            image = backing.read_text().rstrip("\n")
            name = backing.parent.parent.name
            if image.startswith(f"{directory}/") and _shows(f"/dev/{name}", image):
                found.append(name)
    return found


def _shows(device: str, image: str) -> bool:
    """Return whether it is our ``image`` that ``device`` shows; True when that can not be told."""
    try:
        here = os.stat(image)
        return kernel.file_behind_loop(device) == (here.st_dev, here.st_ino)
    except OSError as error:
        # no such device here, or it is being let go of just now: not ours, or ours no longer
        return not (error.filename == device or error.errno == errno.ENXIO)
