"""The real binary as a child process. One line of JSON on its stdout says where it is."""

import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
BINARY = Path(os.environ.get("FERMATA_BIN", REPOSITORY / "target/debug/fermata"))
ARTIFACTS = Path(os.environ.get("FERMATA_E2E_ARTIFACTS", REPOSITORY / "target/test-artifacts"))

READY_SECONDS = 20
STOP_SECONDS = 15


class Server:
    """`fermata serve --dev` on ports the system chooses."""

    MODE: tuple[str, ...] = ("--dev", "--http-port", "0", "--udp-port", "0", "--tcp-port", "0")

    def __init__(self, name: str, data_dir: Path | None = None, args: tuple[str, ...] = ()):
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        command = [str(BINARY), "serve", *self.MODE]
        # Whoever enters next is served by the other media thread: every room of two is on both.
        command += ["--media-threads", "2", "--media-imbalance-max", "0"]
        if data_dir is not None:
            command += ["--data-dir", str(data_dir)]
        self.log_path = ARTIFACTS / f"server-{name}.log"
        self._log = open(self.log_path, "ab")
        self._log_start = self._log.tell()
        self._process = self._spawn([*command, *args])
        self._lines: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._read_stdout, daemon=True).start()
        try:
            self.ready = self._wait_ready()
        except BaseException:
            self.kill()
            raise
        self.http: str = self.ready["http"]
        self.ws = self.http.replace("http", "ws", 1)

    def _spawn(self, command: list[str]) -> subprocess.Popen:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log)

    def _read_stdout(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    def _wait_ready(self) -> dict:
        try:
            line = self._lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            raise AssertionError(f"no line within {READY_SECONDS} s; log: {self.log_path}") from None
        if not line:
            raise AssertionError(f"the server ended ({self._process.wait()}); {self.tail()}")
        ready = json.loads(line)
        assert ready["ready"] is True, ready
        return ready

    @property
    def pid(self) -> int:
        return self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> int:
        """Asks for an orderly end; returns the exit code."""
        if self.running():
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running {STOP_SECONDS} s after SIGTERM; {self.tail()}") from None
        finally:
            self._log.close()

    def kill(self) -> None:
        """As `kill -9` does: no chance to write anything."""
        self._process.kill()
        self._process.wait()
        self._log.close()

    def tail(self) -> str:
        lines = self.log_path.read_text(errors="replace").splitlines()[-30:]
        return f"end of {self.log_path}:\n" + "\n".join(lines)

    def logged(self, words: str) -> int:
        """Lines with these words that this server has logged."""
        with open(self.log_path, "rb") as log:
            log.seek(self._log_start)
            return sum(words.encode() in line for line in log)

    def open_files(self) -> int:
        """File descriptors the process has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident_kib(self) -> int:
        """Memory the process has resident, KiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")

    def udp_ports(self) -> list[int]:
        """UDP ports the process is bound to, as the kernel lists them."""
        inodes = set()
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                inodes.add(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except FileNotFoundError:
                continue
        ports = []
        for line in Path(f"/proc/{self.pid}/net/udp").read_text().splitlines()[1:]:
            fields = line.split()
            if f"socket:[{fields[9]}]" in inodes:
                ports.append(int(fields[1].split(":")[1], 16))
        return ports
