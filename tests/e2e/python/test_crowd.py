"""Twenty people in one room for a minute: every track flows to everybody, and nothing stays behind."""

import asyncio
import time

from livekit import rtc

from harness.media import Picture, Tone
from harness.until import at, until

PEOPLE = 20
SPEAKERS = 4
CAMERAS = 4
SECONDS = 60.0
# After they left: what the server may have more than before they came.
FILES_MORE_MAX = 4
MEMORY_MORE_MAX_KIB = 48 * 1024


async def received(person) -> dict[str, int]:
    """Packets received so far, by track."""
    stats = await person.room.get_rtc_stats()
    packets = {}
    for entry in (*stats.subscriber_stats, *stats.publisher_stats):
        if entry.WhichOneof("stats") == "inbound_rtp":
            inbound = entry.inbound_rtp
            packets[inbound.inbound.track_identifier] = inbound.received.packets_received
    return packets


def tracks_of(person) -> int:
    publications = (p for other in person.room.remote_participants.values() for p in other.track_publications.values())
    return sum(p.track is not None for p in publications)


async def test_twenty_people_for_a_minute(server, guests, api):
    # One call before, so that what is made once is not taken for a leak.
    for identity in ("warm-1", "warm-2"):
        await (await guests.join(identity)).publish(Tone(300.0))
    await guests.all_leave()

    async def nobody():
        metrics = await api.metrics()
        return metrics["fermata_participants"] == 0 and metrics["fermata_transports"] == 0

    await until("nobody is in", nobody)
    files, memory = server.open_files(), server.resident_kib()

    people = []
    for number in range(PEOPLE):
        people.append(await guests.join(f"person-{number:02}", "v1" if number % 2 else "v0"))
    start = time.time()
    for number, person in enumerate(people):
        if number < SPEAKERS:
            await person.publish(Tone(300.0 + 40 * number))
        elif number < SPEAKERS + CAMERAS:
            await person.publish(Picture(320, 180, fps=8, max_bitrate=150_000))
    publishing = SPEAKERS + CAMERAS
    wanted = {person.identity: publishing - (number < publishing) for number, person in enumerate(people)}
    await until(
        lambda: f"everybody has every track: {[tracks_of(person) for person in people]}",
        lambda: all(tracks_of(person) == wanted[person.identity] for person in people),
        30,
    )
    for part in (0.25, 0.5, 0.75, 1.0):
        before = [await received(person) for person in people]
        await at(start + SECONDS * part)
        after = [await received(person) for person in people]
        for person, earlier, later in zip(people, before, after):
            flowing = [track for track, packets in later.items() if packets > earlier.get(track, 0)]
            assert len(flowing) == wanted[person.identity], (person.identity, earlier, later)
    for person in people:
        for event in ("reconnecting", "disconnected", "track_unsubscribed"):
            assert not person.told(event), (person.identity, event)
    (room,) = [row for row in await api.rooms() if row["name"] == guests.room]
    assert room["participants"] == PEOPLE

    await asyncio.gather(*(person.leave() for person in people))
    guests.people.clear()

    async def room_is_gone():
        return guests.room not in {row["name"] for row in await api.rooms()}

    await until("the room is gone", room_is_gone)
    await until("nobody is in", nobody)
    metrics = await api.metrics()
    assert (metrics["fermata_rooms"], metrics["fermata_tracks"], metrics["fermata_subscriptions"]) == (0, 0, 0)
    await until(
        lambda: f"files: {files} before, {server.open_files()} now",
        lambda: server.open_files() <= files + FILES_MORE_MAX,
        20,
    )
    assert server.resident_kib() <= memory + MEMORY_MORE_MAX_KIB, (memory, server.resident_kib())
