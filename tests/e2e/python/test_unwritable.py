"""No byte can be written any more, and then bytes can be again; needs no rights and no mount.

A limit on the size of files (`RLIMIT_FSIZE`) is put on the running server, so that every write to its data folder
fails. The signal that comes with it is ignored from before the program starts, as Python itself does.
"""

import asyncio
import os
import resource
import subprocess
import threading
import time
from pathlib import Path

from harness import server as harness
from harness.api import Api, seconds_of
from harness.media import Tone
from harness.people import Guests
from harness.raw import upgrade_status, validate_status
from harness.server import Server
from harness.tokens import DEV_APP, DEV_USERSIG_KEY, token, user_sig
from harness.until import until


class LimitedServer(Server):
    """A server whose writes can be made to fail. Its log goes through a pipe, which the limit does not touch."""

    def __init__(self, name: str, data_dir: Path):
        outer = self

        class Popen(subprocess.Popen):
            def __init__(self, command, *, stderr, **options):
                # Without `restore_signals` the child keeps what Python ignores: SIGXFSZ among others.
                super().__init__(command, stderr=subprocess.PIPE, restore_signals=False, **options)
                outer._copying = threading.Thread(target=outer._copy, args=(self.stderr, stderr), daemon=True)
                outer._copying.start()

        real = subprocess.Popen
        harness.subprocess.Popen = Popen
        try:
            super().__init__(name, data_dir)
        finally:
            harness.subprocess.Popen = real

    @staticmethod
    def _copy(pipe, log) -> None:
        for line in pipe:
            if log.closed:
                continue
            log.write(line)
            log.flush()

    def writes_fail(self, fail: bool) -> None:
        limit = 1 if fail else resource.RLIM_INFINITY
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    def logged(self, words: str) -> int:
        """Lines with these words."""
        return sum(words in line for line in self.log_path.read_text(errors="replace").splitlines())


def usage_files(data_dir: Path) -> int:
    return len(list((data_dir / "usage").iterdir()))


async def ready(api: Api) -> tuple[int, dict]:
    return await api.call("GET", "/readyz")


async def test_while_nothing_can_be_written(tmp_path):
    data_dir = tmp_path / "data"
    log = harness.ARTIFACTS / "server-unwritable.log"
    log.unlink(missing_ok=True)
    server = LimitedServer("unwritable", data_dir)
    guests = Guests(server.ws, "unwritable")
    try:
        async with Api(server.http) as api:
            started = time.monotonic()
            anna = await guests.join("anna")
            ben = await guests.join("ben")
            await anna.publish(Tone(440.0))
            ear = await ben.listen("anna")
            await until("the tone", lambda: ear.hears(440.0))
            before = await api.metrics()

            server.writes_fail(True)

            async def told():
                status, body = await ready(api)
                return status == 503 and (body["status"], body["usage"], body["store"]) == (
                    "degraded",
                    "failing",
                    "failing",
                )

            await until("readiness says what fails", told, 20)
            status, body = await api.call("GET", "/healthz")
            assert (status, body["status"]) == (200, "degraded"), "a restart would not help"
            for protocol in ("v0", "v1"):
                for ask in (validate_status, upgrade_status):
                    status, kind, text = await ask(server.http, protocol, token("carl", "unwritable"))
                    assert (status, kind) == (503, "text/plain") and text.startswith("unavailable: "), text
            exchange = {
                "sdk_app_id": DEV_APP,
                "user_id": "carl",
                "user_sig": user_sig(DEV_USERSIG_KEY, "carl"),
                "room": "unwritable",
                "role": "anchor",
            }
            status, answer = await api.call("POST", "/usersig/token", exchange)
            assert (status, answer["code"]) == (503, "unavailable"), answer
            # What cannot be kept is not promised either.
            status, _ = await api.call("PATCH", Api.app_path(), {"name": "lost"})
            assert status == 503

            # The call goes on as if nothing were, and attempts leave no files behind.
            files = usage_files(data_dir)
            await asyncio.sleep(6)
            assert usage_files(data_dir) <= files
            for person in (anna, ben):
                assert not person.told("disconnected") and not person.told("reconnecting")
            ear.forget()
            await until("the tone goes on", lambda: ear.hears(440.0))
            during = await api.metrics()
            for name in ("usage_write_failures_total", "store_not_writable_total", "usage_report_failures_total"):
                assert during[f"fermata_{name}"] > before[f"fermata_{name}"], name
            assert during["fermata_usage_writable"] == 0
            assert server.logged("The usage log cannot be written") == 1
            assert server.logged("The store cannot be written; reading goes on") == 1

            server.writes_fail(False)

            async def well():
                return (await ready(api))[0] == 200

            await until("ready again", well, 20)
            assert server.logged("The usage log can be written again") == 1
            assert server.logged("The store can be written again") == 1
            assert (await api.metrics())["fermata_usage_writable"] == 1
            await guests.join("carl")
            await guests.all_leave()
            lived = time.monotonic() - started

            async def everything():
                stays = {stay["identity"]: stay for stay in await api.stays("unwritable")}
                return len(stays) == 3 and all("ended_at" in stay for stay in stays.values()) and stays

            stays = await until("all stays are stored and closed", everything, 20)
            for identity in ("anna", "ben"):
                seconds = sum(seconds_of(stays[identity]).values())
                assert lived - 2 <= seconds <= lived + 1, (identity, seconds, lived)
            total = sum(sum(seconds_of(stay).values()) for stay in stays.values())
            assert sum((await api.usage()).values()) == total
    finally:
        assert server.stop() == 0, server.tail()


async def test_an_empty_server_notices_before_somebody_comes(tmp_path):
    server = LimitedServer("unwritable-idle", tmp_path / "data")
    try:
        async with Api(server.http) as api:
            assert (await ready(api))[0] == 200
            server.writes_fail(True)

            async def refused():
                status, _, text = await validate_status(server.http, "v1", token("anna", "empty"))
                return status == 503 and text.startswith("unavailable: ")

            await until("the first newcomer is refused", refused, 20)
            assert await api.rooms() == []
            server.writes_fail(False)

            async def well():
                status, _, _ = await validate_status(server.http, "v1", token("anna", "empty"))
                return status == 200

            await until("entries work again", well, 20)
    finally:
        assert server.stop() == 0, server.tail()


def test_a_folder_that_cannot_be_written_is_named_at_the_start(tmp_path):
    """The file of the database is there and the folder as well, but nothing can be added to them."""
    data_dir = tmp_path / "data"
    first = Server("unwritable-start", data_dir)
    assert first.stop() == 0
    command = [str(harness.BINARY), "serve", "--dev", "--http-port", "0", "--udp-port", "0", "--data-dir", str(data_dir)]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))

    ended = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        restore_signals=False,
        preexec_fn=limit,
        env={**os.environ},
    )
    assert ended.returncode == 1, ended
    assert not ended.stdout, "it is not ready"
    assert b"cannot be written" in ended.stderr or b"disk I/O" in ended.stderr, ended.stderr
