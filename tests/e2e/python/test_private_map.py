"""PrivateMapKey: a ticket for one room, made here from its documented form, and what it opens and does not open."""

import base64
import hashlib
import hmac
import json
import struct
import time
import zlib

import pytest
from livekit import rtc

from harness import raw
from harness.tokens import DEV_APP, DEV_USERSIG_KEY, user_sig
from harness.until import until

ALL = 255
CREATE = 1


def private_map_key(
    user: str,
    room: str,
    privileges: int,
    *,
    key: str = DEV_USERSIG_KEY,
    app: int = DEV_APP,
    ttl_s: int = 600,
    flipped: bool = False,
) -> str:
    """A UserSig with a user buffer for a string room; `flipped` changes the buffer after it was signed."""
    now = int(time.time())
    buffer = b"\1" + struct.pack(">H", len(user)) + user.encode()
    buffer += struct.pack(">IIIII", app, 0, now + ttl_s, privileges, 0)
    buffer += struct.pack(">H", len(room)) + room.encode()
    userbuf = base64.b64encode(buffer).decode()
    content = f"TLS.identifier:{user}\nTLS.sdkappid:{app}\nTLS.time:{now}\nTLS.expire:3600\nTLS.userbuf:{userbuf}\n"
    digest = hmac.new(key.encode(), content.encode(), hashlib.sha256).digest()
    if flipped:
        userbuf = base64.b64encode(bytes([*buffer[:-1], buffer[-1] ^ 1])).decode()
    document = {
        "TLS.ver": "2.0",
        "TLS.identifier": user,
        "TLS.sdkappid": app,
        "TLS.time": now,
        "TLS.expire": 3600,
        "TLS.userbuf": userbuf,
        "TLS.sig": base64.b64encode(digest).decode(),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(document).encode())).decode()
    return packed.translate(str.maketrans("+/=", "*-_"))


def exchange(user: str, room: str, ticket: str) -> dict:
    return {
        "sdk_app_id": DEV_APP,
        "user_id": user,
        "user_sig": user_sig(DEV_USERSIG_KEY, user),
        "room": room,
        "role": "anchor",
        "private_map_key": ticket,
    }


async def test_a_ticket_without_the_create_bit_makes_no_room(guests, api, server, protocol):
    async def ask(privileges: int) -> tuple[int, dict]:
        ticket = private_map_key("anna", guests.room, privileges)
        return await api.call("POST", "/usersig/token", exchange("anna", guests.room, ticket))

    status, answer = await ask(ALL - CREATE)
    assert (status, answer["code"]) == (404, "room_missing"), answer
    assert (await ask(ALL))[0] == 200

    host = await guests.join("host", protocol)
    status, answer = await ask(ALL - CREATE)
    assert status == 200, answer
    jwt = answer["token"]
    anna = await guests.join("anna", protocol, jwt=jwt)
    await host.sees_person("anna")

    await api.dismiss(guests.room)
    await until("both are out", lambda: anna.told("disconnected") and host.told("disconnected"))
    for ask_for in (raw.upgrade_status, raw.validate_status):
        status, kind, body = await ask_for(server.http, protocol, jwt)
        assert (status, kind) == (404, "text/plain") and body.startswith("room_missing: "), body
    with pytest.raises(rtc.ConnectError, match="room_missing"):
        await guests.join("anna", protocol, jwt=jwt)
    assert guests.room not in {room["name"] for room in await api.rooms()}


async def test_a_wrong_ticket_opens_nothing(guests, api):
    room = guests.room
    wrong = [
        ("no ticket", "*-_", "usersig_invalid"),
        ("without a room in it", user_sig(DEV_USERSIG_KEY, "anna"), "usersig_invalid"),
        ("signed with another key", private_map_key("anna", room, ALL, key="0" * 64), "usersig_invalid"),
        ("changed after it was signed", private_map_key("anna", room, ALL, flipped=True), "usersig_invalid"),
        ("of another user", private_map_key("ben", room, ALL), "usersig_invalid"),
        ("of another application", private_map_key("anna", room, ALL, app=DEV_APP + 1), "usersig_invalid"),
        ("for another room", private_map_key("anna", f"{room}-2", ALL), None),
        ("expired", private_map_key("anna", room, ALL, ttl_s=-3600), "usersig_expired"),
        ("not to be entered with", private_map_key("anna", room, ALL - 2), None),
    ]
    for what, ticket, code in wrong:
        status, answer = await api.call("POST", "/usersig/token", exchange("anna", room, ticket))
        assert status == 401, (what, status, answer)
        assert code in (None, answer["code"]), (what, answer)
    status, answer = await api.call("POST", "/usersig/token", exchange("anna", room, private_map_key("anna", room, ALL)))
    assert status == 200, answer
