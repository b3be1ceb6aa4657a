"""What every outage of the disk has in common: a call that is held through it, and what must be true around it."""

import asyncio
import time

from .api import Api, seconds_of
from .media import Ear, Tone
from .people import Guests, Person
from .raw import validate_status
from .server import Server
from .tokens import token
from .until import until

TOLD_SECONDS = 20
# Long enough for several attempts to write (a sync every second, a heartbeat every two).
HELD_SECONDS = 6


class Call:
    """Two people in a room, one of whom hears the other; it goes on whatever happens to the disk."""

    def __init__(self, server: Server, api: Api, room: str):
        self.server = server
        self.api = api
        self.room = room
        self.guests = Guests(server.ws, room)
        self.people: list[Person] = []
        self.started = 0.0
        self._ear: Ear | None = None

    async def begin(self) -> None:
        self.started = time.monotonic()
        anna = await self.guests.join("anna")
        ben = await self.guests.join("ben")
        self.people = [anna, ben]
        await anna.publish(Tone(440.0))
        self._ear = await ben.listen("anna")
        await until("the tone", lambda: self._ear.hears(440.0))

    def lived(self) -> float:
        """Seconds since the first one came."""
        return time.monotonic() - self.started

    async def ready(self) -> tuple[int, dict]:
        return await self.api.call("GET", "/readyz")

    async def outage_is_told(self) -> None:
        """Readiness and health say what fails, and newcomers are refused."""

        async def told():
            status, body = await self.ready()
            return status == 503 and (body["status"], body["usage"], body["store"]) == (
                "degraded",
                "failing",
                "failing",
            )

        await until("readiness says what fails", told, TOLD_SECONDS)
        status, body = await self.api.call("GET", "/healthz")
        assert (status, body["status"]) == (200, "degraded"), "to start again would not help"
        status, kind, text = await validate_status(self.server.http, "v1", token("carl", self.room))
        assert (status, kind) == (503, "text/plain") and text.startswith("unavailable: "), text
        metrics = await self.api.metrics()
        assert metrics["fermata_usage_write_failures_total"] > 0
        assert metrics["fermata_usage_writable"] == 0

    async def goes_on(self) -> None:
        """Nobody is thrown out or has to connect anew, and the tone is still heard."""
        await asyncio.sleep(HELD_SECONDS)
        for person in self.people:
            assert not person.told("disconnected") and not person.told("reconnecting")
        self._ear.forget()
        await until("the tone goes on", lambda: self._ear.hears(440.0))

    async def outage_is_over(self) -> None:
        """It is ready again by itself."""

        async def well():
            return (await self.ready())[0] == 200

        await until("ready again", well, TOLD_SECONDS)
        assert (await self.api.metrics())["fermata_usage_writable"] == 1

    async def ends_with_every_second(self) -> None:
        """A third one can enter, all leave, and nothing of the time before, during and after the outage is missing."""
        await self.guests.join("carl")
        await self.guests.all_leave()
        lived = self.lived()
        stays = await closed_stays(self.api, self.room, 3)
        for identity in ("anna", "ben"):
            seconds = sum(seconds_of(stays[identity]).values())
            assert lived - 2 <= seconds <= lived + 1, (identity, seconds, lived)
        await usage_is_the_sum_of(self.api, stays)


async def closed_stays(api: Api, room: str, count: int) -> dict[str, dict]:
    """The stays of a room by identity, once there are so many and all are over."""

    async def everything():
        stays = {stay["identity"]: stay for stay in await api.stays(room)}
        return len(stays) == count and all("ended_at" in stay for stay in stays.values()) and stays

    return await until("all stays are stored and closed", everything, TOLD_SECONDS)


async def usage_is_the_sum_of(api: Api, stays: dict[str, dict]) -> None:
    """The day's sum has these stays and nothing else."""
    total = sum(sum(seconds_of(stay).values()) for stay in stays.values())
    assert sum((await api.usage()).values()) == total
