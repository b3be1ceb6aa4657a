"""Small file systems for tests of disks. Only root can mount them; elsewhere such tests are skipped, saying why."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest


def _run(*command: str | Path) -> None:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode != 0:
        words = " ".join(map(str, command))
        pytest.skip(f"this machine cannot `{words}`: {ended.stderr.strip() or ended.stdout.strip()}")


def _needs(*programs: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounts a small file system, which only root may: run as root to have it tested")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}, which is not installed")


@contextlib.contextmanager
def in_memory(folder: Path, size_mib: int) -> Iterator[Path]:
    """A file system in memory that is full after `size_mib` MiB."""
    _needs("mount", "umount")
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def read_only_view(of: Path, folder: Path) -> Iterator[Path]:
    """The same files at another place, where nothing can be changed."""
    _needs("mount", "umount")
    folder.mkdir()
    _run("mount", "--bind", of, folder)
    try:
        _run("mount", "-o", "remount,bind,ro", folder)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


class BreakableDisk:
    """An ext4 file system in a file, which becomes read-only at the first error, as most installations have it."""

    SIZE_MIB = 24

    def __init__(self, image: Path, folder: Path):
        _needs("mount", "umount", "mkfs.ext4", "e2fsck")
        self.image = image
        self.folder = folder
        folder.mkdir()
        with open(image, "wb") as file:
            file.truncate(self.SIZE_MIB * 1024 * 1024)
        _run("mkfs.ext4", "-q", "-F", image)
        self._mount()
        trigger = self._trigger()
        if not trigger.exists():
            self.remove()
            pytest.skip(f"this kernel has no {trigger}")

    def _mount(self) -> None:
        _run("mount", "-o", "loop,errors=remount-ro", self.image, self.folder)

    def _trigger(self) -> Path:
        """What makes the kernel find an error on this file system."""
        device = self.folder.stat().st_dev
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        return Path(f"/sys/fs/ext4/{name}/trigger_fs_error")

    def fail(self) -> None:
        """Lets the kernel find an error; from then on the disk takes no byte."""
        self._trigger().write_text("a test")
        try:
            (self.folder / "probe").touch()
        except OSError:
            return
        raise AssertionError("the disk can still be written")

    def repair(self) -> None:
        """What an operator does: unmount, check, mount. Everything in use must have been closed."""
        subprocess.run(["umount", self.folder], check=True)
        # 0 is clean, 1 corrected; more is left for a person.
        checked = subprocess.run(["e2fsck", "-f", "-p", self.image], capture_output=True, text=True)
        assert checked.returncode in (0, 1), checked
        self._mount()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=False)
