"""Who is in a room, what they may do in it, and how they get out of it."""

import asyncio
import time

import pytest
from livekit import rtc
from livekit.api import RoomConfiguration
from livekit.rtc.participant import PublishDataError, PublishTrackError

from harness.media import Ear, Picture, Tone
from harness.tokens import token
from harness.until import until


async def test_who_comes_and_goes(guests, api, protocol):
    anna = await guests.join("anna", protocol, name="Anna A.", metadata="m", attributes={"hat": "red"})
    ben = await guests.join("ben", protocol)
    seen = await ben.sees_person("anna")
    assert (seen.name, seen.metadata, seen.attributes) == ("Anna A.", "m", {"hat": "red"})
    await anna.sees_person("ben")
    listed = await api.participants(guests.room)
    assert sorted(row["identity"] for row in listed) == ["anna", "ben"]
    rooms = {row["name"]: row for row in await api.rooms()}
    assert rooms[guests.room]["participants"] == 2
    await ben.leave()
    await until("anna is told", lambda: anna.told("participant_disconnected"))
    await anna.leave()

    async def room_is_gone():
        return guests.room not in {row["name"] for row in await api.rooms()}

    await until("the room is gone", room_is_gone)


async def test_metadata_name_and_attributes(guests, protocol):
    anna = await guests.join("anna", protocol, can_update_own_metadata=True)
    ben = await guests.join("ben", protocol)
    await anna.me.set_metadata("new metadata")
    await anna.me.set_name("New Name")
    await anna.me.set_attributes({"hand": "up", "hat": "blue"})
    seen = await ben.sees_person("anna")
    wanted = ("new metadata", "New Name", {"hand": "up", "hat": "blue"})
    await until("ben knows all three", lambda: (seen.metadata, seen.name, seen.attributes) == wanted)


async def test_who_may_not_change_its_metadata(guests, protocol):
    anna = await guests.join("anna", protocol, can_update_own_metadata=False, metadata="old")
    ben = await guests.join("ben", protocol, can_update_own_metadata=True)
    await anna.me.set_metadata("new")
    # What ben says after that arrives, so anna's was refused, not late.
    await ben.me.set_metadata("later")
    seen = await anna.sees_person("ben")
    await until("anna knows ben's", lambda: seen.metadata == "later")
    assert (await ben.sees_person("anna")).metadata == "old"


async def test_the_same_identity_again_replaces_the_earlier(guests, protocol):
    first = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await first.publish(Tone(440.0))
    second = await guests.join("anna", protocol)
    await until("the first is told", lambda: first.told("disconnected"))
    assert first.told("disconnected")[0][0] == rtc.DisconnectReason.DUPLICATE_IDENTITY
    await second.publish(Tone(990.0))

    def new_track():
        other = ben.room.remote_participants.get("anna")
        tracks = other and [p.track for p in other.track_publications.values() if p.track]
        return other and other.sid == second.me.sid and tracks

    (track,) = await until("ben has the second one's track", new_track)
    ear = Ear(track)
    ben.closing.append(ear)
    await until("its tone", lambda: ear.hears(990.0))


async def test_hidden_people_see_and_are_not_seen(guests, api, protocol):
    anna = await guests.join("anna", protocol)
    hidden = await guests.join("hidden", protocol, hidden=True, can_publish=False)
    ben = await guests.join("ben", protocol)
    await anna.publish(Picture(320, 180))
    eye = await hidden.watch("anna")
    await until("the hidden one sees", eye.sees)
    await hidden.sees_person("ben")
    await anna.sees_person("ben")
    for person in (anna, ben):
        assert "hidden" not in person.room.remote_participants
    listed = {row["identity"]: row for row in await api.participants(guests.room)}
    assert listed["hidden"]["hidden"] is True
    await hidden.leave()
    assert not anna.told("participant_disconnected")


async def test_an_operator_removes_somebody(server, guests, api, protocol):
    anna_token = token("anna", guests.room)
    anna = await guests.join("anna", protocol, jwt=anna_token)
    ben = await guests.join("ben", protocol)
    await api.remove(guests.room, "anna")
    await until("anna is told", lambda: anna.told("disconnected"))
    assert anna.told("disconnected")[0][0] == rtc.DisconnectReason.PARTICIPANT_REMOVED
    await until("ben is told", lambda: ben.told("participant_disconnected"))
    with pytest.raises(rtc.ConnectError):
        await guests.join("anna", protocol, jwt=anna_token)
    # Token times are whole seconds: one made in the second of the removal counts as older.
    removed = int(time.time())
    await until("the next second", lambda: time.time() >= removed + 1.05)
    back = await guests.join("anna", protocol)
    assert back.me.sid != anna.me.sid
    status, _ = await api.call("DELETE", f"{api.app_path()}/rooms/{guests.room}/participants/nobody")
    assert status == 404


async def test_an_operator_dismisses_a_room(guests, api, protocol):
    people = [await guests.join(identity, protocol) for identity in ("anna", "ben")]
    await api.dismiss(guests.room)
    for person in people:
        await until(f"{person.identity} is told", lambda: person.told("disconnected"))
        assert person.told("disconnected")[0][0] == rtc.DisconnectReason.ROOM_DELETED
    assert guests.room not in {row["name"] for row in await api.rooms()}


async def test_rights_to_publish(guests, protocol):
    ben = await guests.join("ben", protocol)
    audience = await guests.join("audience", protocol, can_publish=False, can_publish_data=False)
    picky = await guests.join("picky", protocol, can_publish_sources=["microphone"])
    # The client waits ten seconds for a permission that does not come; three are enough here.
    for person in (audience, picky):
        picture = Picture(320, 180)
        try:
            with pytest.raises((PublishTrackError, asyncio.TimeoutError)):
                await asyncio.wait_for(person.me.publish_track(picture.track, picture.options), 3)
        finally:
            await picture.close()
    assert ben.publications("audience", rtc.TrackKind.KIND_VIDEO) == []
    assert ben.publications("picky", rtc.TrackKind.KIND_VIDEO) == []


async def test_a_right_to_one_source_is_that_right(guests, protocol):
    ben = await guests.join("ben", protocol)
    picky = await guests.join("picky", protocol, can_publish_sources=["microphone"])
    await picky.publish(Tone(600.0))
    ear = await ben.listen("picky")
    await until("the tone", lambda: ear.hears(600.0))


async def test_right_to_send_data(guests, protocol):
    ben = await guests.join("ben", protocol)
    mute = await guests.join("mute", protocol, can_publish_data=False)
    anna = await guests.join("anna", protocol)
    await ben.sees_person("anna")
    try:
        await mute.me.publish_data(b"forbidden")
    except PublishDataError:
        pass  # The client may refuse by itself.
    await anna.me.publish_data(b"allowed")
    await until("ben has one message", lambda: ben.told("data_received"))
    assert [packet.data for (packet,) in ben.told("data_received")] == [b"allowed"]


async def test_right_to_subscribe(guests, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    deaf = await guests.join("deaf", protocol, can_subscribe=False)
    await anna.publish(Tone(600.0))
    ear = await ben.listen("anna")
    await until("ben hears", lambda: ear.hears(600.0))
    assert not deaf.told("track_subscribed")


async def test_apps_and_kinds_of_rooms_are_apart(guests, api, server):
    """The same name in another application, and the integer room of the same digits, are other rooms."""
    account = await api.ok("POST", "/api/v1/accounts", {"name": "Neighbour"})
    created = await api.ok("POST", f"/api/v1/accounts/{account['id']}/apps", {"name": "Other"})
    other_app = created["sdk_app_id"]
    anna = await guests.join("anna", room="123")
    integer = await guests.join("ben", room="int/123")
    jwt = token("carl", "123", key=created["api_key"], secret=created["api_secret"])
    foreign = await guests.join("carl", jwt=jwt)
    late = await guests.join("dora", room="123")
    await late.sees_person("anna")
    for person in (anna, integer, foreign):
        assert "ben" not in person.room.remote_participants and "carl" not in person.room.remote_participants
    assert {row["name"] for row in await api.rooms()} >= {"123", "int/123"}
    assert {row["name"] for row in await api.rooms(other_app)} == {"123"}
    assert [row["identity"] for row in await api.participants("int/123")] == ["ben"]


async def test_room_settings_of_the_token(guests, api):
    settings = RoomConfiguration(max_participants=2, metadata='{"scene":"call"}')
    await guests.join("anna", room_config=settings)
    await guests.join("ben", room_config=settings)
    with pytest.raises(rtc.ConnectError, match="room_full"):
        await guests.join("carl", room_config=settings)
    (room,) = [row for row in await api.rooms() if row["name"] == guests.room]
    assert room["scene"] == "call" and room["participants"] == 2
