"""A disk that becomes read-only under the running program, as ext4 does after an error.

Such a disk stays read-only until it is unmounted and checked, for which the program must end. What was counted
meanwhile could be written nowhere and is lost; what was counted before is not. Needs root and loop devices.
"""

import subprocess

import pytest

from harness import disks, server as harness
from harness.api import Api, seconds_of
from harness.outage import Call, closed_stays, usage_is_the_sum_of
from harness.server import Server

ROOM = "read-only"
# Most that a power cut may cost a stay (fermata-node, limits.rs, USAGE_LOSS_MAX), and one for the cut second.
LOSS_MAX_S = 3 + 1


def run(*arguments: str) -> subprocess.CompletedProcess:
    """The program with these arguments, until it ends."""
    command = [str(harness.BINARY), *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)


def start_fails(data_dir) -> str:
    """Tries to serve from a folder; what is said about it on standard error."""
    ended = run("serve", "--dev", "--http-port", "0", "--udp-port", "0", "--tcp-port", "0", "--data-dir", str(data_dir))
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    return ended.stderr


@pytest.fixture
def disk(tmp_path):
    disk = disks.BreakableDisk(tmp_path / "disk.img", tmp_path / "disk")
    yield disk
    disk.remove()


async def test_a_disk_that_becomes_read_only(disk, tmp_path):
    data_dir = disk.folder / "data"
    server = Server("read-only-1", data_dir)
    try:
        async with Api(server.http) as api:
            call = Call(server, api, ROOM)
            await call.begin()
            # So long that a loss beyond the bound would show.
            await call.goes_on()
            disk.fail()
            failed_after = call.lived()

            await call.outage_is_told()
            await call.goes_on()
            # Reading goes on; what cannot be kept is not promised.
            assert [row["name"] for row in await api.rooms()] == [ROOM]
            status, answer = await api.call("PATCH", Api.app_path(), {"name": "lost"})
            assert (status, answer["error"]["code"]) == (503, "not_writable"), answer
            await call.guests.all_leave()
            lived = call.lived()
    finally:
        code = server.stop()
    assert code == 0, server.tail()
    assert server.logged("Usage is lost: neither the log nor the store can be written.") == 1, server.tail()
    assert "Read-only file system" in start_fails(data_dir)

    # A disk that cannot be written can be read: a copy of the folder serves as well as the repaired disk.
    copy = tmp_path / "copy"
    subprocess.run(["cp", "--archive", data_dir, copy], check=True)
    disk.repair()
    # The repaired one twice: a second start finds nothing left to do, and changes nothing.
    for life, folder in enumerate((copy, data_dir, data_dir), start=2):
        again = Server(f"read-only-{life}", folder)
        try:
            async with Api(again.http) as api:
                stays = await closed_stays(api, ROOM, 2)
                for identity in ("anna", "ben"):
                    seconds = sum(seconds_of(stays[identity]).values())
                    assert failed_after - LOSS_MAX_S <= seconds <= lived + 1, (identity, seconds, failed_after, lived)
                await usage_is_the_sum_of(api, stays)
        finally:
            assert again.stop() == 0, again.tail()
        checked = run("check", "--data-dir", str(folder))
        assert checked.returncode == 0, checked


def test_a_read_only_folder_is_named_at_the_start(tmp_path):
    """A folder that was served before, and one in which nothing is yet."""
    data_dir = tmp_path / "data"
    assert Server("read-only-start", data_dir).stop() == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, view in ((data_dir, tmp_path / "data-ro"), (empty, tmp_path / "empty-ro")):
        with disks.read_only_view(folder, view):
            said = start_fails(view)
            assert str(view) in said and "Read-only file system" in said, said
    assert list(empty.iterdir()) == []
    # The folder is as good as before.
    again = Server("read-only-start-again", data_dir)
    assert again.stop() == 0, again.tail()
