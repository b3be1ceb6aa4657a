"""Clients as processes, and what they told as a series over time."""

import json
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

from .net import ARTIFACTS, Networks, NetworkServer


class Client:
    """One of them. `told` are its lines so far, in order."""

    # What runs in the client's namespace, with what is wanted of it as its argument.
    PROGRAM = (sys.executable, str(Path(__file__).with_name("client.py")))

    def __init__(self, networks: Networks, server: NetworkServer, name: str, room: str = "networks", **wanted):
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.told: list[dict] = []
        self._lines: queue.Queue = queue.Queue()
        wanted = {**server.entrance(name, room), **wanted}
        command = networks.inside(name, [*self.PROGRAM, json.dumps(wanted)])
        self._log = open(ARTIFACTS / f"client-{name}.log", "ab")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._process.stdout:
            self.told.append(json.loads(line))

    def wait(self, what: str, good, seconds: float = 30.0) -> dict:
        """The first line that is `good`, of those from now on (or the latest one)."""
        deadline = time.monotonic() + seconds
        seen = max(0, len(self.told) - 1)
        while time.monotonic() < deadline:
            for told in self.told[seen:]:
                if good(told):
                    return told
                seen += 1
            assert self._process.poll() is None, f"{self.name} ended; see client-{self.name}.log"
            time.sleep(0.05)
        raise AssertionError(f"{self.name}: not within {seconds} s: {what}; last: {self.told[-1:]}")

    def since(self, at: float) -> list[dict]:
        return [told for told in self.told if told["at"] >= at]

    def close(self) -> None:
        if self._process.poll() is None:
            try:
                self._process.communicate("leave\n", timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._log.close()


def tracks(told: dict, kind: str) -> list[dict]:
    return [track for track in told["tracks"] if track["kind"] == kind]


def total(told: dict, kind: str, field: str) -> float:
    return sum(track[field] for track in tracks(told, kind))
