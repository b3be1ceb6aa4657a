"""A worker of LiveKit Agents, unmodified, with rooms of the real server: dispatched, present, and speaking back."""

import asyncio
import os
import subprocess
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from livekit import api as lk
from livekit import rtc

from harness.cloud import APART
from harness.media import Tone
from harness.people import Guests
from harness.server import ARTIFACTS
from harness.tokens import DEV_KEY, DEV_SECRET, token
from harness.until import until

SCRIPT = Path(__file__).parent / "harness/echo_agent.py"


@asynccontextmanager
async def worker(server, name: str):
    """A worker that is registered."""
    arguments = [str(APART), str(SCRIPT), server.ws, DEV_KEY, DEV_SECRET, name]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LIVEKIT_")}
    with open(ARTIFACTS / f"agent-{name or 'everywhere'}.log", "wb") as log:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, env=environment)
        lines: list[bytes] = []
        threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
        try:
            await until("the worker is registered", lambda: any(b"registered AW_" in line for line in lines), 90.0)
            yield process
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
async def livekit(server):
    client = lk.LiveKitAPI(server.http, DEV_KEY, DEV_SECRET)
    yield client
    await client.aclose()


async def speaks_back(person) -> rtc.RemoteParticipant:
    """The agent that comes to a person who hums, and hums the same."""

    def agent():
        others = person.room.remote_participants.values()
        return next((one for one in others if one.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT), None)

    other = await until("an agent comes", agent, 60.0)
    await person.publish(Tone(440.0))
    ear = await person.listen(other.identity)
    await until("it speaks back", lambda: ear.hears(440.0), 30.0)
    return other


@pytest.mark.timeout(300)
async def test_a_named_agent_comes_when_it_is_called_and_speaks_back(server, livekit, guests):
    async with worker(server, "echo"):
        anna = await guests.join("anna")
        await asyncio.sleep(1)
        assert not anna.room.remote_participants, "nobody called it"
        called = await livekit.agent_dispatch.create_dispatch(
            lk.CreateAgentDispatchRequest(agent_name="echo", room=guests.room, metadata="hello")
        )
        agent = await speaks_back(anna)
        await until("its metadata arrived", lambda: agent.attributes.get("metadata-of-job") == "hello")
        listed = await livekit.agent_dispatch.list_dispatch(room_name=guests.room)
        # Beside it stands the one for workers without a name, which every room has.
        assert [one.id for one in listed if one.agent_name] == [called.id]
        await livekit.agent_dispatch.delete_dispatch(called.id, guests.room)
        await until("it goes", lambda: not anna.room.remote_participants, 30.0)

        # The same by a token that names it.
        config = lk.RoomConfiguration(agents=[lk.RoomAgentDispatch(agent_name="echo", metadata="by token")])
        other = Guests(server.ws, f"{guests.room}-token")
        ben = await other.join("ben", jwt=token("ben", other.room, room_config=config))
        agent = await speaks_back(ben)
        await until("its metadata arrived", lambda: agent.attributes.get("metadata-of-job") == "by token")
        await other.all_leave()


@pytest.mark.timeout(300)
async def test_a_nameless_agent_comes_to_every_new_room(server, guests):
    async with worker(server, ""):
        anna = await guests.join("anna")
        await speaks_back(anna)
