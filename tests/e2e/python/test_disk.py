"""A full disk: the call goes on, newcomers are told, and afterwards not a second is missing.

The data folder lies on a small file system of its own in memory, which only root can mount.
"""

import pytest

from harness import disks
from harness.api import Api
from harness.outage import Call
from harness.server import Server

SIZE_MIB = 6


@pytest.fixture
def small_disk(tmp_path):
    with disks.in_memory(tmp_path / "disk", SIZE_MIB) as folder:
        yield folder


def fill(path) -> None:
    """Writes until nothing more fits."""
    with open(path, "wb", buffering=0) as file:
        for size in (64 * 1024, 512, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


async def test_a_full_disk_is_survived_and_told(small_disk):
    server = Server("test_disk", small_disk / "data")
    try:
        async with Api(server.http) as api:
            call = Call(server, api, "disk")
            await call.begin()
            fill(small_disk / "filler")
            await call.outage_is_told()
            await call.goes_on()
            (small_disk / "filler").unlink()
            await call.outage_is_over()
            await call.ends_with_every_second()
    finally:
        assert server.stop() == 0, server.tail()
