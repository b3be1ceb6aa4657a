"""Fixtures: one server for a module, a room of its own for every test."""

import itertools
import logging
import os
import sys

import pytest

from harness.api import Api
from harness.people import PROTOCOLS, Guests
from harness.server import BINARY, Server

_rooms = itertools.count(1)


def pytest_configure(config):
    if not BINARY.is_file():
        pytest.exit(f"{BINARY} is missing; `cargo xtask test --only e2e-python` builds it", returncode=2)
    logging.getLogger("livekit").setLevel(logging.ERROR)


def pytest_sessionfinish(session, exitstatus):
    session.config.exit_status = int(exitstatus)


def pytest_unconfigure(config):
    # The client library's threads abort the process if they outlive the interpreter, which they do after a failed
    # test; that would replace pytest's exit status. Everything is reported by now.
    if hasattr(config, "exit_status"):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.exit_status)


@pytest.fixture(scope="module")
def server(request):
    """A server shared by the tests of a module; it must also end in an orderly way."""
    running = Server(request.module.__name__)
    yield running
    assert running.running(), f"the server ended by itself; {running.tail()}"
    assert running.stop() == 0, running.tail()


@pytest.fixture
async def api(server):
    async with Api(server.http) as api:
        yield api


@pytest.fixture
async def guests(server):
    """Lets people into a room that no other test uses."""
    guests = Guests(server.ws, f"room-{next(_rooms)}")
    yield guests
    await guests.all_leave()


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    """Signalling: two connections (v0) or one (v1)."""
    return request.param
