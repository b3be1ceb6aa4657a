"""A full disk: the call goes on, newcomers are told, and afterwards not a second is missing.

The data folder lies on a small file system of its own in memory, which only root can mount.
"""

import asyncio
import os
import subprocess
import time

import pytest

from harness.api import Api, seconds_of
from harness.media import Tone
from harness.people import Guests
from harness.raw import validate_status
from harness.server import Server
from harness.tokens import token
from harness.until import until

SIZE_MIB = 6


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.fail(f"this test mounts a small file system: run it as root, as in `sudo mount -t tmpfs -o size={SIZE_MIB}m`")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


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
            guests = Guests(server.ws, "disk")
            started = time.monotonic()
            anna = await guests.join("anna")
            ben = await guests.join("ben")
            await anna.publish(Tone(440.0))
            ear = await ben.listen("anna")
            await until("the tone", lambda: ear.hears(440.0))
            fill(small_disk / "filler")

            async def ready() -> tuple[int, dict]:
                return await api.call("GET", "/readyz")

            async def told():
                status, body = await ready()
                return status == 503 and body["usage"] == "failing" and body["store"] == "failing"

            await until("readiness says what fails", told, 20)
            status, _, text = await validate_status(server.http, "v1", token("carl", "disk"))
            assert (status, text.split(":")[0]) == (503, "unavailable")
            assert (await api.metrics())["fermata_usage_write_failures_total"] > 0
            await asyncio.sleep(3)
            for person in (anna, ben):
                assert not person.told("disconnected") and not person.told("reconnecting")
            ear.forget()
            await until("the tone goes on", lambda: ear.hears(440.0))

            (small_disk / "filler").unlink()

            async def well():
                return (await ready())[0] == 200

            await until("ready again", well, 20)
            await guests.join("carl")
            await guests.all_leave()
            lived = time.monotonic() - started

            async def everything():
                stays = {stay["identity"]: stay for stay in await api.stays("disk")}
                return len(stays) == 3 and all("ended_at" in stay for stay in stays.values()) and stays

            stays = await until("all stays are stored and closed", everything, 20)
            for identity in ("anna", "ben"):
                seconds = sum(seconds_of(stays[identity]).values())
                assert lived - 2 <= seconds <= lived + 1, (identity, seconds, lived)
    finally:
        assert server.stop() == 0, server.tail()
