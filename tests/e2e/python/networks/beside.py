"""Measures how people behind bad networks fare in the same browser with us and with Janus, and prints a table:
`python networks/beside.py [FILTER]`.

Nothing here fails: the figures are for `docs/guide/performance.md`, in one run on one machine. Ann has a camera of
three streams and a microphone; Bob is behind the network of each line; Eve has a good one and should notice nothing.
Each is a Chromium of its own (tests/e2e/browser/networks).

Janus 1.1 sends a subscriber the highest stream that its publisher sends, and estimates nothing of the subscriber's
path: choosing another stream is left to the application, and nobody here does. So this compares what each server does
by itself, not what could be built with it. Sound goes with copies of itself (RED) where LiveKit's client and we agree
on that, and with Opus' own redundancy with Janus, as each has it by default.

What Eve misses is Bob's doing where his requests for keyframes all reach Ann, who then sends little else; or the
machine's, when it was too busy. The line `good` tells them apart.
"""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from networks.meeting import Meeting  # noqa: E402
from networks.net import ARTIFACTS, Networks, NetworkServer  # noqa: E402
from networks.people import Client  # noqa: E402
from networks.table import GOOD, PICTURE, behind, head, row  # noqa: E402

SECONDS = 15
TONE = 440
# The same streams for both servers.
CAMERA = {
    "width": PICTURE["width"],
    "height": PICTURE["height"],
    "fps": PICTURE["fps"],
    "layers": [
        {"rid": "q", "width": 320, "height": 180, "bitrate": 150_000},
        {"rid": "h", "width": 640, "height": 360, "bitrate": 500_000},
        {"rid": "f", "width": 960, "height": 540, "bitrate": 1_700_000},
    ],
}

SHAPES: dict[str, list[dict]] = {
    "good": [GOOD],
    "loss 5 %": [{**GOOD, "loss_percent": 5}],
    "loss 10 %": [{**GOOD, "loss_percent": 10}],
    "delay 300 ms": [{"delay_ms": 300}],
    "1 Mb/s": [{**GOOD, "rate_bps": 1_000_000}],
    "300 kb/s": [{**GOOD, "rate_bps": 300_000}],
    "3 Mb/s, 300 kb/s, 3 Mb/s": [
        {**GOOD, "at_ms": 0, "rate_bps": 3_000_000},
        {**GOOD, "at_ms": 2_000, "rate_bps": 300_000},
        {**GOOD, "at_ms": 12_000, "rate_bps": 3_000_000},
    ],
}


class Browser(Client):
    """Chromium in place of the Python client."""

    PROGRAM = ("node", str(Path(__file__).resolve().parents[2] / "browser/networks/person.mjs"))


class Fermata(NetworkServer):
    def entrance(self, identity: str, room: str) -> dict:
        return {"kind": "livekit", **super().entrance(identity, room)}


class Janus:
    """Debian's Janus: VideoRoom over a WebSocket, everything else as it is by default. It takes no address of a
    loopback interface and answers through the interface of its address, so it has a namespace of its own behind the
    server's."""

    ADDRESS, ROUTER = "10.77.200.2", "10.77.200.1"
    PORT = 8188
    READY_SECONDS = 20
    STOP_SECONDS = 15
    KEPT = ("libjanus_videoroom.so", "libjanus_websockets.so")
    # What a publisher may send is more than Ann wants to.
    ROOM = {"publishers": 10, "audiocodec": "opus", "videocodec": "vp8", "bitrate": 3_000_000}

    def __init__(self, name: str, networks: Networks, _: tuple[str, ...] = ()):
        program = shutil.which("janus")
        assert program, "needs Debian's Janus: `apt-get install --no-install-recommends janus`"
        self._netns = f"{networks.server_netns}-janus"
        self._process: subprocess.Popen | None = None
        self._folder = tempfile.TemporaryDirectory()
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self._log = open(ARTIFACTS / f"janus-{name}.log", "ab")
        try:
            self._make_network(networks.server_netns)
            self._configure(Path(self._folder.name))
            self._start(program)
        except BaseException:
            self.stop()
            raise

    def _start(self, program: str) -> None:
        command = [program, "-C", f"{self._folder.name}/janus.jcfg", "-F", self._folder.name]
        command = ["ip", "netns", "exec", self._netns, *command]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)
        deadline = time.monotonic() + self.READY_SECONDS
        while not self._listens():
            assert self._process.poll() is None and time.monotonic() < deadline, f"no Janus; see {self._log.name}"
            time.sleep(0.1)

    def _make_network(self, router: str) -> None:
        """Its namespace, and the way from there through the server's to the clients."""
        for command in (
            f"netns add {self._netns}",
            f"-n {router} link add janus0 type veth peer name janus1 netns {self._netns}",
            f"-n {router} addr add {self.ROUTER}/30 dev janus0",
            f"-n {router} link set janus0 up",
            f"-n {self._netns} addr add {self.ADDRESS}/30 dev janus1",
            f"-n {self._netns} link set lo up",
            f"-n {self._netns} link set janus1 up",
            f"-n {self._netns} route add default via {self.ROUTER}",
            f"netns exec {router} sysctl -qw net.ipv4.ip_forward=1",
        ):
            subprocess.run(["ip", *command.split()], check=True)

    def _configure(self, folder: Path) -> None:
        libraries = next(path for path in Path("/usr/lib").glob("*/janus") if (path / "plugins").is_dir())
        disabled = {
            kind: ",".join(sorted(path.name for path in (libraries / kind).glob("*.so") if path.name not in self.KEPT))
            for kind in ("plugins", "transports")
        }
        (folder / "janus.jcfg").write_text(
            f'general: {{\n  configs_folder = "{folder}"\n  plugins_folder = "{libraries}/plugins"\n'
            f'  transports_folder = "{libraries}/transports"\n  events_folder = "{libraries}/events"\n'
            f'  loggers_folder = "{libraries}/loggers"\n  debug_level = 4\n  debug_colors = false\n}}\n'
            f'nat: {{\n  ice_enforce_list = "{self.ADDRESS}"\n}}\n'
            f'plugins: {{\n  disable = "{disabled["plugins"]}"\n}}\n'
            f'transports: {{\n  disable = "{disabled["transports"]}"\n}}\n'
        )
        (folder / "janus.transport.websockets.jcfg").write_text(
            f'general: {{\n  ws = true\n  ws_port = {self.PORT}\n  ws_ip = "{self.ADDRESS}"\n  wss = false\n}}\n'
        )
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: {\n}\n")

    def _listens(self) -> bool:
        """As the kernel lists it in the server's namespace."""
        try:
            listed = Path(f"/proc/{self._process.pid}/net/tcp").read_text()
        except OSError:
            return False
        address = socket.inet_aton(self.ADDRESS)[::-1].hex().upper()
        return re.search(rf" {address}:{self.PORT:04X} 00000000:0000 0A ", listed) is not None

    def entrance(self, identity: str, room: str) -> dict:
        return {"kind": "janus", "url": f"ws://{self.ADDRESS}:{self.PORT}", "room": 1, "settings": self.ROOM}

    def stop(self) -> int:
        try:
            return self._end() if self._process else 0
        finally:
            self._log.close()
            self._folder.cleanup()
            subprocess.run(["ip", "netns", "del", self._netns], check=False)

    def _end(self) -> int:
        self._process.terminate()
        try:
            return self._process.wait(self.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


class WithFermata(Meeting):
    SERVER = Fermata
    CLIENT = Browser


class WithJanus(Meeting):
    SERVER = Janus
    CLIENT = Browser


def measure(name: str, steps: list[dict], kind: type[Meeting]) -> str:
    with kind("beside", behind(steps)) as meeting:
        people = {who: meeting.enter(who) for who in ("bob", "eve")}
        for client in people.values():
            client.wait("being there", lambda told: True, 60)
        meeting.enter("ann", picture=CAMERA, tone=TONE)
        return row(name, meeting.SERVER.__name__, meeting, people, steps, SECONDS)


def main(wanted: str) -> None:
    print(head("server"), flush=True)
    names = [wanted] if wanted in SHAPES else [name for name in SHAPES if wanted in name]
    for name in names:
        for kind in (WithFermata, WithJanus):
            print(measure(name, SHAPES[name], kind), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
