"""No byte can be written any more, and then bytes can be again; needs no rights and no mount.

A limit on the size of files (`RLIMIT_FSIZE`) is put on the running server, so that every write to its data folder
fails. The signal that comes with it is ignored from before the program starts, as Python itself does.
"""

import os
import resource
import subprocess
import threading
from pathlib import Path

from harness import server as harness
from harness.api import Api
from harness.outage import Call
from harness.people import PROTOCOLS
from harness.raw import upgrade_status, validate_status
from harness.server import Server
from harness.tokens import DEV_APP, DEV_USERSIG_KEY, token, user_sig
from harness.until import until


class LimitedServer(Server):
    """A server whose writes can be made to fail. Its log goes through a pipe, which the limit does not touch."""

    def _spawn(self, command: list[str]) -> subprocess.Popen:
        # Without `restore_signals` the child keeps what Python ignores: SIGXFSZ among others.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, restore_signals=False
        )
        threading.Thread(target=self._copy, args=(process.stderr, self._log), daemon=True).start()
        return process

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


def usage_files(data_dir: Path) -> int:
    return len(list((data_dir / "usage").iterdir()))


async def test_while_nothing_can_be_written(tmp_path):
    data_dir = tmp_path / "data"
    server = LimitedServer("unwritable", data_dir)
    try:
        async with Api(server.http) as api:
            call = Call(server, api, "unwritable")
            await call.begin()
            before = await api.metrics()

            server.writes_fail(True)
            await call.outage_is_told()
            for protocol in PROTOCOLS:
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

            # Attempts leave no files behind.
            files = usage_files(data_dir)
            await call.goes_on()
            assert usage_files(data_dir) <= files
            during = await api.metrics()
            for name in ("usage_write_failures_total", "store_not_writable_total", "usage_report_failures_total"):
                assert during[f"fermata_{name}"] > before[f"fermata_{name}"], name
            assert server.logged("The usage log cannot be written") == 1
            assert server.logged("The store cannot be written; reading goes on") == 1

            server.writes_fail(False)
            await call.outage_is_over()
            assert server.logged("The usage log can be written again") == 1
            assert server.logged("The store can be written again") == 1
            await call.ends_with_every_second()
    finally:
        assert server.stop() == 0, server.tail()


async def test_an_empty_server_notices_before_somebody_comes(tmp_path):
    server = LimitedServer("unwritable-idle", tmp_path / "data")
    try:
        async with Api(server.http) as api:
            assert (await api.call("GET", "/readyz"))[0] == 200
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
    command = [str(harness.BINARY), "serve", "--dev", "--http-port", "0", "--udp-port", "0", "--tcp-port", "0", "--data-dir", str(data_dir)]

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
