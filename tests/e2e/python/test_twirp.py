"""LiveKit's server APIs with LiveKit's own Python package, on rooms with its clients in them."""

import asyncio

import aiohttp
import pytest
from livekit import api as lk
from livekit import rtc

from harness.media import Picture, Tone
from harness.people import Guests
from harness.tokens import DEV_KEY, DEV_SECRET, token
from harness.until import until


@pytest.fixture
async def livekit(server):
    client = lk.LiveKitAPI(server.http, DEV_KEY, DEV_SECRET)
    yield client
    await client.aclose()


async def code(call) -> str:
    """Twirp's code of the error that the call ends with."""
    with pytest.raises(lk.TwirpError) as refused:
        await call
    assert refused.value.message
    return refused.value.code


async def test_rooms_are_made_listed_changed_and_closed(server, livekit):
    made = await livekit.room.create_room(
        lk.CreateRoomRequest(name="made", empty_timeout=30, departure_timeout=5, max_participants=2, metadata="first")
    )
    assert made.sid.startswith("RM_") and (made.empty_timeout, made.max_participants) == (30, 2)
    again = await livekit.room.create_room(lk.CreateRoomRequest(name="made"))
    assert again.sid == made.sid
    listed = await livekit.room.list_rooms(lk.ListRoomsRequest(names=["made"]))
    assert [room.sid for room in listed.rooms] == [made.sid]

    guests = Guests(server.ws, "made")
    anna, ben = await guests.join("anna"), await guests.join("ben")
    assert anna.room.metadata == "first"
    with pytest.raises(rtc.ConnectError):
        await guests.join("cleo")
    changed = await livekit.room.update_room_metadata(lk.UpdateRoomMetadataRequest(room="made", metadata="second"))
    assert changed.metadata == "second"
    await until("they are told", lambda: ben.room.metadata == "second")
    await livekit.room.delete_room(lk.DeleteRoomRequest(room="made"))
    told = await until("anna is out", lambda: anna.told("disconnected"))
    assert told[0][0] == rtc.DisconnectReason.ROOM_DELETED
    assert await code(livekit.room.delete_room(lk.DeleteRoomRequest(room="made"))) == "not_found"
    await guests.all_leave()


async def test_people_are_seen_changed_and_removed(server, livekit, guests):
    jwt = token("anna", guests.room)
    anna, ben = await guests.join("anna", jwt=jwt), await guests.join("ben")
    await anna.sees_person("ben")
    listed = await livekit.room.list_participants(lk.ListParticipantsRequest(room=guests.room))
    assert {one.identity for one in listed.participants} == {"anna", "ben"}
    who = lk.RoomParticipantIdentity(room=guests.room, identity="anna")
    assert (await livekit.room.get_participant(who)).sid
    await livekit.room.update_participant(
        lk.UpdateParticipantRequest(
            room=guests.room, identity="anna", name="Anna A.", metadata="m", attributes={"colour": "red"}
        )
    )
    other = await ben.sees_person("anna")
    await until("ben sees the name", lambda: other.name == "Anna A." and other.attributes.get("colour") == "red")

    await anna.publish(Tone(440.0))
    await ben.listen("anna")
    await livekit.room.update_participant(
        lk.UpdateParticipantRequest(
            room=guests.room,
            identity="anna",
            permission=lk.ParticipantPermission(can_subscribe=True, can_publish=False, can_publish_data=True),
        )
    )
    await until("her track is gone", lambda: not other.track_publications)
    await livekit.room.remove_participant(who)
    told = await until("she is out", lambda: anna.told("disconnected"))
    assert told[0][0] == rtc.DisconnectReason.PARTICIPANT_REMOVED
    with pytest.raises(rtc.ConnectError):
        await guests.join("anna", jwt=jwt)
    assert await code(livekit.room.get_participant(who)) == "not_found"


async def test_tracks_are_muted_and_subscriptions_changed(livekit, guests):
    anna, ben = await guests.join("anna"), await guests.join("ben", auto_subscribe=False)
    published = await anna.publish(Picture())
    await ben.sees_person("anna")
    (publication,) = await until("it is published", lambda: ben.publications("anna", rtc.TrackKind.KIND_VIDEO))
    await livekit.room.update_subscriptions(
        lk.UpdateSubscriptionsRequest(room=guests.room, identity="ben", track_sids=[published.sid], subscribe=True)
    )
    eye = await ben.watch("anna")
    await until("ben sees her", eye.sees)
    answer = await livekit.room.mute_published_track(
        lk.MuteRoomTrackRequest(room=guests.room, identity="anna", track_sid=published.sid, muted=True)
    )
    assert answer.track.muted
    await until("ben is told", lambda: publication.muted)
    unknown = lk.MuteRoomTrackRequest(room=guests.room, identity="anna", track_sid="TR_nothing", muted=True)
    assert await code(livekit.room.mute_published_track(unknown)) == "not_found"


async def test_data_and_calls_reach_clients(server, livekit, guests):
    anna, ben = await guests.join("anna"), await guests.join("ben")
    await livekit.room.send_data(
        lk.SendDataRequest(room=guests.room, data=b"hello", kind=0, destination_identities=["anna"], topic="news")
    )
    (packet,) = (await until("anna gets it", lambda: anna.told("data_received")))[0]
    assert (packet.data, packet.topic) == (b"hello", "news")
    await asyncio.sleep(0.5)
    assert not ben.told("data_received")

    @anna.me.register_rpc_method("double")
    async def double(call: rtc.RpcInvocationData):
        return call.payload * 2

    # LiveKit's package for Python has no word for it yet.
    jwt = lk.AccessToken(DEV_KEY, DEV_SECRET).with_grants(lk.VideoGrants(room_admin=True, room=guests.room)).to_jwt()
    url = f"{server.http}/twirp/livekit.RoomService/PerformRpc"
    call = {"room": guests.room, "destinationIdentity": "anna", "method": "double", "payload": "ab"}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {jwt}"}) as session:
        async with session.post(url, json=call) as answer:
            assert (answer.status, (await answer.json())["payload"]) == (200, "abab")
        async with session.post(url, json={**call, "method": "triple"}) as answer:
            assert answer.status >= 400 and "code" in await answer.json()


async def test_grants_are_needed(server, guests):
    await guests.join("anna")

    def client(**grants):
        jwt = lk.AccessToken(DEV_KEY, DEV_SECRET).with_grants(lk.VideoGrants(**grants)).to_jwt()
        return jwt

    rows = [
        ("CreateRoom", {"name": "x"}, {"room_list": True}, 403),
        ("ListRooms", {}, {"room_create": True}, 403),
        ("ListParticipants", {"room": guests.room}, {"room_admin": True, "room": "another"}, 403),
        ("ListParticipants", {"room": guests.room}, {"room_admin": True, "room": guests.room}, 200),
        ("ListRooms", {}, {"room_list": True}, 200),
        ("ForwardParticipant", {"room": guests.room, "identity": "anna"}, {"room_admin": True, "room": guests.room}, 501),
        ("NoSuchMethod", {}, {"room_list": True}, 404),
    ]
    async with aiohttp.ClientSession() as session:
        for method, body, grants, status in rows:
            headers = {"Authorization": f"Bearer {client(**grants)}"}
            url = f"{server.http}/twirp/livekit.RoomService/{method}"
            async with session.post(url, json=body, headers=headers) as answer:
                assert answer.status == status, (method, grants, await answer.text())
        async with session.post(f"{server.http}/twirp/livekit.RoomService/ListRooms", json={}) as answer:
            assert answer.status == 401


async def test_what_is_not_there_yet_says_so(livekit):
    assert await code(livekit.egress.list_egress(lk.ListEgressRequest())) == "unimplemented"
    assert await code(livekit.ingress.list_ingress(lk.ListIngressRequest())) == "unimplemented"
