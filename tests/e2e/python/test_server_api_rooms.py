"""The vendor's room management, with its SDKs, on rooms with LiveKit's clients in them."""

import pytest
from livekit import rtc

from harness.cloud import Cloud, Refused, international
from harness.media import Picture, Tone
from harness.people import Guests
from harness.tokens import DEV_APP, token
from harness.until import until


@pytest.fixture
def cloud(server):
    return Cloud(server.http)


async def reason(person) -> int:
    """Why a client was told to go."""
    told = await until(f"{person.identity} is out", lambda: person.told("disconnected"))
    return told[0][0]


def of_kind(app_room: str) -> dict:
    """The room as the action that takes its kind wants it."""
    number = app_room.removeprefix("int/")
    return {"RoomId": int(number)} if app_room != number else {"RoomId": app_room}


@pytest.mark.parametrize(("room", "action"), [("int/4711", "DismissRoom"), ("hall", "DismissRoomByStrRoomId")])
async def test_a_dismissed_room_is_closed_for_everybody(server, api, cloud, room, action):
    guests = Guests(server.ws, room)
    anna, ben = await guests.join("anna"), await guests.join("ben")
    await anna.sees_person("ben")
    assert await cloud.call(action, SdkAppId=DEV_APP, **of_kind(room))
    assert [await reason(anna), await reason(ben)] == [rtc.DisconnectReason.ROOM_DELETED] * 2
    await until("the room is gone", lambda: _no_room(api, room))
    assert await cloud.code(action, SdkAppId=DEV_APP, **of_kind(room)) == "FailedOperation.RoomNotExist"
    await guests.all_leave()


async def _no_room(api, room) -> bool:
    return room not in [one["name"] for one in await api.rooms()]


@pytest.mark.parametrize(("room", "action"), [("int/4712", "RemoveUser"), ("den", "RemoveUserByStrRoomId")])
async def test_a_removed_user_is_out_and_the_others_stay(server, cloud, room, action):
    guests = Guests(server.ws, room)
    jwt = token("anna", room)
    anna, ben = await guests.join("anna", jwt=jwt), await guests.join("ben")
    await ben.sees_person("anna")
    await cloud.call(action, SdkAppId=DEV_APP, UserIds=["anna"], **of_kind(room))
    assert await reason(anna) == rtc.DisconnectReason.PARTICIPANT_REMOVED
    await until("ben sees her leave", lambda: "anna" not in ben.room.remote_participants)
    assert not ben.told("disconnected")
    with pytest.raises(rtc.ConnectError):
        await guests.join("anna", jwt=jwt)
    await guests.all_leave()


async def test_a_blocked_user_is_not_heard_until_unblocked(server, guests):
    anna, ben = await guests.join("anna"), await guests.join("ben")
    await anna.publish(Tone(440.0))
    await anna.publish(Picture())
    ear, eye = await ben.listen("anna"), await ben.watch("anna")
    await until("ben hears her", lambda: ear.hears(440.0))
    await until("ben sees her", eye.sees)

    async def block(how: int):
        room = {"StrRoomId": guests.room}
        await international(
            server.http, "SetUserBlockedByStrRoomId", SdkAppId=DEV_APP, UserId="anna", IsMute=how, **room
        )

    await block(2)
    await until("her audio shows as muted", lambda: any(args[1].kind == rtc.TrackKind.KIND_AUDIO for args in ben.told("track_muted")))
    # What the jitter buffer makes up fades within a second or so.
    await until("it falls silent", lambda: not ear.hears(440.0))
    frames = eye.frames
    await until("the picture goes on", lambda: eye.frames > frames + 15)
    ear.forget()
    await until("and still", lambda: eye.frames > frames + 25)
    assert not ear.hears(440.0)
    await block(0)
    await until("ben hears her again", lambda: ear.hears(440.0))
    await block(1)
    await until("both are muted", lambda: all(p.muted for p in ben.room.remote_participants["anna"].track_publications.values()))
    await block(0)
    await until("ben hears her once more", lambda: ear.hears(440.0))
    frames = eye.frames
    await until("and sees her", lambda: eye.frames > frames + 5, 15.0)


async def test_an_integer_room_is_not_the_string_room_of_the_same_digits(server, cloud, api):
    number, text = Guests(server.ws, "int/777"), Guests(server.ws, "777")
    anna, ben = await number.join("anna"), await text.join("ben")
    await cloud.call("DismissRoom", SdkAppId=DEV_APP, RoomId=777)
    await reason(anna)
    assert not ben.told("disconnected")
    await cloud.call("DismissRoomByStrRoomId", SdkAppId=DEV_APP, RoomId="777")
    await reason(ben)
    await number.all_leave()
    await text.all_leave()


ERRORS = [
    ("DismissRoom", {"SdkAppId": DEV_APP}, "MissingParameter.RoomId"),
    ("DismissRoom", {"RoomId": 1}, "MissingParameter.SdkAppId"),
    ("DismissRoom", {"SdkAppId": DEV_APP, "RoomId": 0}, "InvalidParameterValue.RoomId"),
    ("DismissRoom", {"SdkAppId": DEV_APP, "RoomId": 2**32}, "InvalidParameterValue.RoomId"),
    ("DismissRoom", {"SdkAppId": DEV_APP, "RoomId": "words"}, "InvalidParameter.RoomId"),
    ("DismissRoom", {"SdkAppId": DEV_APP, "RoomId": 999_999}, "FailedOperation.RoomNotExist"),
    ("DismissRoom", {"SdkAppId": 1_400_000_999, "RoomId": 1}, "UnauthorizedOperation.SdkAppId"),
    ("DismissRoom", {"SdkAppId": DEV_APP, "RoomId": 1, "Colour": "red"}, "UnknownParameter"),
    ("DismissRoomByStrRoomId", {"SdkAppId": DEV_APP, "RoomId": "no/slash"}, "InvalidParameterValue.RoomId"),
    ("RemoveUser", {"SdkAppId": DEV_APP, "RoomId": 1}, "MissingParameter.UserIds"),
    ("RemoveUser", {"SdkAppId": DEV_APP, "RoomId": 1, "UserIds": [str(n) for n in range(11)]}, None),
    ("StartPublishCdnStream", {"SdkAppId": DEV_APP}, "UnsupportedOperation"),
    ("NoSuchAction", {}, "InvalidAction"),
]


@pytest.mark.parametrize(("action", "params", "expected"), ERRORS, ids=[f"{row[0]}-{n}" for n, row in enumerate(ERRORS)])
async def test_errors_have_the_vendors_codes(cloud, action, params, expected):
    refused = await cloud.refusal(action, **params)
    assert refused.message
    if expected is None:
        assert refused.code.startswith(("InvalidParameterValue", "InvalidParameter", "LimitExceeded")), refused
    else:
        assert refused.code == expected, refused


async def test_a_user_who_is_not_there_is_named(server, cloud, guests):
    await guests.join("anna")
    try:
        await cloud.call("RemoveUserByStrRoomId", SdkAppId=DEV_APP, RoomId=guests.room, UserIds=["nobody"])
    except Refused as refused:
        assert refused.code == "FailedOperation.UserNotExist", refused
    else:
        raise AssertionError("nobody was removed")
