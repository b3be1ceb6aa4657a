"""The networks: namespaces, and the emulator between them. Only root can make them."""

import http.client
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

from harness.server import ARTIFACTS, REPOSITORY, Server
from harness.tokens import token

# Not named as the server's own variables are: it inherits this one, and refuses what it does not know.
EMULATOR = Path(os.environ.get("NETWORK_EMULATOR", REPOSITORY / "target/debug/fermata-emulator"))
# Within its namespace the server has these to itself.
SERVER_ADDRESS = "10.77.0.1"
HTTP = f"http://{SERVER_ADDRESS}:7880"
READY_SECONDS = 10
_numbers = itertools.count(1)


def missing() -> str | None:
    """Why this machine cannot have such networks."""
    if os.geteuid() != 0:
        return "makes network namespaces, which only root may: run as root to have it tested"
    if not Path("/dev/net/tun").exists():
        return "needs /dev/net/tun"
    if shutil.which("ip") is None:
        return "needs ip (package iproute2), which is not installed"
    probe = f"fme{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        return f"this machine cannot `ip netns add`: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", probe], check=True)
    if not EMULATOR.is_file():
        return f"needs {EMULATOR}: `cargo build -p fermata-emulator`"
    return None


@dataclass
class Way:
    """The network of one client. Steps are fields of the emulator's conditions, with `at_ms` where there are several."""

    down: list[dict] = field(default_factory=list)
    up: list[dict] = field(default_factory=list)
    # A second network of the same client, which is used when the first one has gone.
    spare: bool = False


class Networks:
    """A namespace for the server and one for each client."""

    def __init__(self, ways: dict[str, Way], seed: int = 1):
        self._prefix = f"fme{os.getpid()}-{next(_numbers)}"
        self.server_netns = f"{self._prefix}-server"
        self.seconds: list[dict] = []
        self._made: list[str] = []
        self._emulator: subprocess.Popen | None = None
        try:
            self._make(self.server_netns)
            paths = []
            for number, (name, way) in enumerate(ways.items(), start=1):
                self._make(self.netns(name))
                for host in (1, 2) if way.spare else (1,):
                    paths.append(
                        {
                            "name": name if host == 1 else f"{name}-spare",
                            "netns": self.netns(name),
                            "address": f"10.77.{number}.{host}",
                            "seed": seed * 1000 + number * 2 + host,
                            "down": way.down,
                            "up": way.up,
                        }
                    )
            self._emulator = subprocess.Popen(
                ["ip", "netns", "exec", self.server_netns, str(EMULATOR)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._say(json.dumps({"server": SERVER_ADDRESS, "paths": paths}))
            first = self._emulator.stdout.readline()
            assert first and json.loads(first) == {"ready": True}, f"the emulator said {first!r}"
            threading.Thread(target=self._read, daemon=True).start()
        except BaseException:
            self.close()
            raise

    def netns(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def inside(self, name: str | None, command: list[str]) -> list[str]:
        """The command, in the namespace of a client (None: of the server)."""
        return ["ip", "netns", "exec", self.server_netns if name is None else self.netns(name), *command]

    def begin(self) -> None:
        """The steps of all ways begin now."""
        self.seconds.clear()
        self._say("begin")

    def cut(self, name: str) -> None:
        """The first network of a client is gone, as when a telephone leaves the house."""
        shown = subprocess.run(
            self.inside(name, ["ip", "-o", "-4", "addr", "show"]), capture_output=True, text=True, check=True
        ).stdout
        interface = next(words[1] for words in map(str.split, shown.splitlines()) if words[3].endswith(".1/32"))
        subprocess.run(self.inside(name, ["ip", "link", "set", interface, "down"]), check=True)

    def close(self) -> None:
        if self._emulator is not None:
            self._emulator.stdin.close()
            self._emulator.wait(10)
        for netns in self._made:
            subprocess.run(["ip", "netns", "del", netns], check=False)

    def _make(self, netns: str) -> None:
        subprocess.run(["ip", "netns", "add", netns], check=True)
        self._made.append(netns)
        subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True)

    def _say(self, line: str) -> None:
        self._emulator.stdin.write(line + "\n")
        self._emulator.stdin.flush()

    def _read(self) -> None:
        for line in self._emulator.stdout:
            told = json.loads(line)
            self.seconds.append({path["path"]: path for path in told["paths"]} | {"t": told["t"]})


class NetworkServer(Server):
    """The server in its namespace, reachable by every client. Development mode serves loopback addresses only, so it is
    a server as people install it, with one application."""

    MODE = ("--http-port", "7880", "--udp-port", "7882", "--http-address", "0.0.0.0", "--udp-address", "0.0.0.0")

    def __init__(self, name: str, networks: Networks, args: tuple[str, ...] = ()):
        self._networks = networks
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        super().__init__(name, folder, ("--advertised-addresses", SERVER_ADDRESS, *args))
        self._control = str(folder / "control.sock")
        account = self.call("POST", "/api/v1/accounts", {"name": "Networks"})
        app = self.call("POST", f"/api/v1/accounts/{account['id']}/apps", {"name": "networks"})
        self.key = (app["api_key"], app["api_secret"])
        self.operator = self.call("POST", "/api/v1/tokens", {"name": "networks"})["token"]

    def _spawn(self, command: list[str]) -> subprocess.Popen:
        return super()._spawn(self._networks.inside(None, command))

    def token(self, identity: str, room: str) -> str:
        return token(identity, room, key=self.key[0], secret=self.key[1])

    def entrance(self, identity: str, room: str) -> dict:
        """What a client has to be told to enter a room."""
        return {"url": HTTP.replace("http", "ws", 1), "token": self.token(identity, room)}

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """The operator API, by the socket in the server's folder: files are in no network."""
        connection = http.client.HTTPConnection("localhost", timeout=15)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(self._control)
        headers = {"Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status < 300, f"{method} {path}: {answer.status} {text}"
        return json.loads(text)

    def metrics(self) -> dict[str, float]:
        """Every metric without labels."""
        script = (
            "import sys, urllib.request as u; r = u.Request(sys.argv[1], headers={'Authorization': sys.argv[2]});"
            "print(u.urlopen(r).read().decode())"
        )
        arguments = [f"{HTTP}/metrics", f"Bearer {self.operator}"]
        command = self._networks.inside(None, [sys.executable, "-c", script, *arguments])
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in lines if "{" not in name}

    def stop(self) -> int:
        code = super().stop()
        self._folder.cleanup()
        return code


__all__ = ["ARTIFACTS", "HTTP", "NetworkServer", "Networks", "Way", "missing"]
