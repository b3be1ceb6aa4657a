"""A dropped WebSocket is no end: the same stay goes on, and media never stop."""

from urllib.parse import urlsplit

from livekit import rtc

from harness.media import Picture, Tone
from harness.proxy import Proxy
from harness.until import until


async def test_a_dropped_websocket_is_resumed(server, guests, api, protocol):
    async with Proxy(urlsplit(server.http).port) as proxy:
        anna = await guests.join("anna", protocol, url=f"ws://127.0.0.1:{proxy.port}")
        ben = await guests.join("ben", protocol)
        for person, tone in ((anna, 440.0), (ben, 880.0)):
            await person.publish(Tone(tone))
            await person.publish(Picture(320, 180, fps=15))
        ears = {"anna": await ben.listen("anna"), "ben": await anna.listen("ben")}
        eyes = {"anna": await ben.watch("anna"), "ben": await anna.watch("ben")}
        for identity, tone in (("anna", 440.0), ("ben", 880.0)):
            await until(f"the tone of {identity}", lambda: ears[identity].hears(tone))
            await until(f"the picture of {identity}", eyes[identity].sees)
        stay = anna.me.sid
        for person in (anna, ben):
            person.diary.clear()
        for eye in eyes.values():
            eye.start_gap_measurement()

        for time in (1, 2):
            assert proxy.cut() >= 1
            await until(f"anna is back, time {time}", lambda: len(anna.told("reconnected")) == time, 20)

        frames = {identity: eye.frames for identity, eye in eyes.items()}
        for identity, tone in (("anna", 440.0), ("ben", 880.0)):
            await until(f"more frames of {identity}", lambda: eyes[identity].frames > frames[identity] + 15)
            assert eyes[identity].longest_gap_s < 1.0, identity
            ears[identity].forget()
            await until(f"still the tone of {identity}", lambda: ears[identity].hears(tone))
        assert anna.me.sid == stay
        for person in (anna, ben):
            for event in ("track_unsubscribed", "track_unpublished", "participant_disconnected", "disconnected"):
                assert not person.told(event), (person.identity, event)
        assert not anna.told("local_track_republished")

        # The new connection works in both directions.
        await ben.publish(Tone(300.0, "second"))
        await until("anna is told of a new track", lambda: len(anna.publications("ben", rtc.TrackKind.KIND_AUDIO)) == 2)
        stays = [row for row in await api.participants(guests.room) if row["identity"] == "anna"]
        assert [row["sid"] for row in stays] == [stay]


async def test_a_full_reconnect_comes_back_with_everything(guests, protocol):
    """The client throws its connections away and joins anew: others hear and see it again."""
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await anna.publish(Tone(440.0))
    await anna.publish(Picture(320, 180))
    eye = await ben.watch("anna")
    await until("the picture", eye.sees)
    await anna.room.simulate_scenario(rtc.SimulateScenarioKind.SIMULATE_FULL_RECONNECT)
    await until("anna is back", lambda: anna.told("reconnected"), 20)

    def tracks():
        other = ben.room.remote_participants.get("anna")
        return other and sum(p.track is not None for p in other.track_publications.values()) == 2

    await until("ben has both tracks", tracks, 15)
    again = await ben.watch("anna")
    await until("the picture again", again.sees)
    ear = await ben.listen("anna")
    await until("the tone again", lambda: ear.hears(440.0))
