"""Meetings with known times: what is stored afterwards is what happened, to the second.

The rule: second k of a stay (from its entry) takes the highest tier it touched; the last partial second counts
as one. Every cue lies inside a second, away from its ends, so that the way to the server does not matter.
"""

import asyncio
import time
from pathlib import Path

from livekit import rtc

from harness.api import Api, seconds_of
from harness.media import Picture
from harness.people import Guests
from harness.server import Server
from harness.until import at, until

# Most that a lost node may cost a stay (fermata-node, limits.rs, USAGE_LOSS_MAX), and one for the cut second.
LOSS_MAX_S = 3 + 1
# Where the protocols differ nothing may differ here: each meeting is held on both at once.
PROTOCOLS = ("v0", "v1")


async def audio_alone(guests: Guests, protocol: str) -> tuple[str, dict]:
    """Receives nothing, though others publish: 6.5 s are 7 seconds of audio."""
    start = time.time()
    person = await guests.join(f"alone-{protocol}", protocol, auto_subscribe=False)
    await at(start + 6.5)
    await person.leave()
    return person.identity, {"audio": 7}


async def audience(guests: Guests, protocol: str) -> tuple[str, dict]:
    """Audience of a live room pays its own price: 3.5 s are 4."""
    start = time.time()
    person = await guests.join(f"audience-{protocol}", protocol, can_publish=False, auto_subscribe=False)
    await at(start + 3.5)
    await person.leave()
    return person.identity, {"live_audience_audio": 4}


async def some_video(guests: Guests, protocol: str) -> tuple[str, dict]:
    """640x360 from 2.3 to 6.4: seconds 2 to 6 are HD, the other five of ten audio."""
    start = time.time()
    person = await guests.join(f"video-{protocol}", protocol, auto_subscribe=False)
    (publication,) = await until("the picture", lambda: person.publications("small", rtc.TrackKind.KIND_VIDEO))
    await at(start + 2.3)
    publication.set_subscribed(True)
    eye = await person.watch("small")
    await until("frames", lambda: eye.frames)
    assert time.time() < start + 2.9, "too slow to say in which second it began"
    assert eye.size == (640, 360)
    await at(start + 6.4)
    publication.set_subscribed(False)
    await at(start + 9.5)
    await person.leave()
    return person.identity, {"audio": 5, "video_hd": 5}


async def summed_areas(guests: Guests, protocol: str) -> tuple[str, dict]:
    """640x360 from 1.3 on, 1280x720 with it from 3.3 to 6.4 (in sum above HD); leaves at 8.5."""
    start = time.time()
    person = await guests.join(f"sum-{protocol}", protocol, auto_subscribe=False)
    (small,) = await until("the small one", lambda: person.publications("small", rtc.TrackKind.KIND_VIDEO))
    (large,) = await until("the large one", lambda: person.publications("large", rtc.TrackKind.KIND_VIDEO))
    await at(start + 1.3)
    small.set_subscribed(True)
    await at(start + 3.3)
    large.set_subscribed(True)
    eye = await person.watch("large")
    await until("frames", lambda: eye.frames)
    assert time.time() < start + 3.9, "too slow to say in which second it began"
    assert eye.size == (1280, 720)
    await at(start + 6.4)
    large.set_subscribed(False)
    await at(start + 8.5)
    await person.leave()
    return person.identity, {"audio": 1, "video_hd": 4, "video_fhd": 4}


async def layers(guests: Guests, protocol: str) -> tuple[str, dict]:
    """The high layer (1920x1080, above HD) from 1.3, the low one from 3.2, again from 6.3 and 8.2; leaves at 10.5.

    The second in which the high layer ends is still its own: 1, 2, 3 and 6, 7, 8.
    """
    start = time.time()
    person = await guests.join(f"layers-{protocol}", protocol, auto_subscribe=False)
    (publication,) = await until("the picture", lambda: person.publications("simulcast", rtc.TrackKind.KIND_VIDEO))
    eye = None
    high, low = rtc.VideoQuality.VIDEO_QUALITY_HIGH, rtc.VideoQuality.VIDEO_QUALITY_LOW
    for cue, quality in ((1.3, None), (3.2, low), (6.3, high), (8.2, low)):
        await at(start + cue)
        if quality is None:
            publication.set_subscribed(True)
            eye = await person.watch("simulcast")
        else:
            publication.set_video_quality(quality)
        wanted = (320, 180) if quality == low else (1920, 1080)
        await until(lambda: f"{wanted} at {cue}; it is {eye.size}", lambda: eye.size == wanted)
        assert time.time() < start + int(cue) + 0.95, f"too slow to say in which second {cue} was"
    await at(start + 10.5)
    await person.leave()
    return person.identity, {"audio": 1, "video_hd": 4, "video_fhd": 6}


async def test_stored_seconds_are_what_happened(server, guests, api):
    publishers = {
        "small": Picture(640, 360, fps=10),
        "large": Picture(1280, 720, fps=8, max_bitrate=1_000_000),
        "simulcast": Picture(1920, 1080, fps=8, simulcast=True, max_bitrate=1_500_000),
    }
    before = await api.usage()
    for identity, picture in publishers.items():
        await (await guests.join(identity, auto_subscribe=False)).publish(picture)
    # Layers start one after the other: the meetings begin when somebody has seen the highest.
    observer = await guests.join("observer", auto_subscribe=False)
    (top,) = await until("the picture", lambda: observer.publications("simulcast", rtc.TrackKind.KIND_VIDEO))
    top.set_subscribed(True)
    eye = await observer.watch("simulcast")
    await until(lambda: f"the highest layer; it is {eye.size}", lambda: eye.size == (1920, 1080), 30)
    await observer.leave()

    lived: dict[str, dict] = {}
    # One round after the other, so that no more is decoded at once than two cores can do.
    for scripts in ((audio_alone, audience, some_video), (summed_areas,), (layers,)):
        meetings = (script(guests, protocol) for script in scripts for protocol in PROTOCOLS)
        lived.update(await asyncio.gather(*meetings))
    for person in list(guests.people):
        if person.identity in publishers:
            await person.leave()

    async def all_closed():
        stays = await api.stays(guests.room)
        return len(stays) == len(lived) + len(publishers) + 1 and all("ended_at" in stay for stay in stays) and stays

    stays = {stay["identity"]: stay for stay in await until("every stay is closed and stored", all_closed)}
    stored = {identity: seconds_of(stays[identity]) for identity in lived}
    assert stored == lived
    assert all(stay["end"] == "left" for stay in stays.values())

    # The days' sums are the stays' sums: nothing more, nothing less.
    total: dict[str, int] = dict(before)
    for stay in stays.values():
        for sku, seconds in seconds_of(stay).items():
            total[sku] = total.get(sku, 0) + seconds
    assert await api.usage() == total


async def test_seconds_survive_kill_9(tmp_path: Path):
    """At most the named bound is lost, nothing is counted twice, and never more than was lived."""
    room = "killed"
    first = Server("killed-1", data_dir=tmp_path)
    guests = Guests(first.ws, room)
    try:
        start = time.time()
        anna = await guests.join("anna", "v1", auto_subscribe=False)
        ben = await guests.join("ben", "v0")
        await anna.publish(Picture(640, 360, fps=10))
        eye = await ben.watch("anna")
        await until("frames", lambda: eye.frames)
        seen = time.time()
        await at(start + 14.5)
    finally:
        first.kill()
    killed = time.time()
    await guests.all_leave()

    for life in (2, 3):
        # Once more in between: a second restart finds nothing left to do, and changes nothing.
        again = Server(f"killed-{life}", data_dir=tmp_path)
        try:
            async with Api(again.http) as api:

                async def all_closed():
                    stays = await api.stays(room)
                    return len(stays) == 2 and all("ended_at" in stay for stay in stays) and stays

                stays = {stay["identity"]: stay for stay in await until("both stays are closed", all_closed)}
                usage = await api.usage()
        finally:
            assert again.stop() == 0
        assert {stay["end"] for stay in stays.values()} == {"lost"}
        stored = {identity: seconds_of(stay) for identity, stay in stays.items()}
        lived = killed - start
        assert lived - LOSS_MAX_S <= sum(stored["anna"].values()) <= lived + 1, stored
        assert set(stored["anna"]) == {"audio"}
        video = killed - seen
        assert video - LOSS_MAX_S <= stored["ben"]["video_hd"] <= video + 2, stored
        assert sum(stored["ben"].values()) <= lived + 1, stored
        total: dict[str, int] = {}
        for seconds in stored.values():
            for sku, count in seconds.items():
                total[sku] = total.get(sku, 0) + count
        assert usage == total


async def test_an_orderly_stop_loses_nothing(tmp_path: Path):
    """SIGTERM: everybody is told, the stays are closed as such, exit code 0."""
    first = Server("stopped-1", data_dir=tmp_path)
    guests = Guests(first.ws, "stopped")
    start = time.time()
    anna = await guests.join("anna", "v1")
    await at(start + 4.5)
    code = await asyncio.to_thread(first.stop)
    assert code == 0, first.tail()
    await until("anna is told", lambda: anna.told("disconnected") or anna.told("reconnecting"))
    await guests.all_leave()
    again = Server("stopped-2", data_dir=tmp_path)
    try:
        async with Api(again.http) as api:
            (stay,) = await api.stays("stopped")
    finally:
        again.stop()
    assert (stay["end"], seconds_of(stay)) == ("shutdown", {"audio": 5})
