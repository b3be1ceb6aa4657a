"""Networks of their own for tests of firewalls. Only root can make them; elsewhere such tests are skipped, saying why."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

HERE = Path(__file__).resolve().parents[1]


def _run(*command: str) -> None:
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode != 0:
        pytest.skip(f"this machine cannot `{' '.join(command)}`: {ended.stderr.strip() or ended.stdout.strip()}")


@contextlib.contextmanager
def network(*rules: str) -> Iterator[str]:
    """A network namespace with a loopback and one interface, and these rules of iptables; its name."""
    if os.geteuid() != 0:
        pytest.skip("makes a network of its own, which only root may: run as root to have it tested")
    for program in ("ip", "iptables"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}, which is not installed")
    name = f"fermata-{os.getpid()}"
    _run("ip", "netns", "add", name)
    try:
        within = ("ip", "netns", "exec", name)
        _run(*within, "ip", "link", "set", "lo", "up")
        # Clients look for an interface that is no loopback.
        _run(*within, "ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
        _run(*within, "ip", "address", "add", "10.213.0.1/24", "dev", "lan0")
        for end in ("lan0", "lan1"):
            _run(*within, "ip", "link", "set", end, "up")
        for rule in rules:
            _run(*within, "iptables", *rule.split())
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def run_within(name: str, file: str, seconds: float, **environment: str) -> None:
    """Runs the tests of a file within a network: a process belongs to one, with all its threads."""
    command = ["ip", "netns", "exec", name, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HERE / file)]
    ended = subprocess.run(
        command,
        cwd=HERE,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    assert ended.returncode == 0 and " passed" in ended.stdout, ended.stdout
