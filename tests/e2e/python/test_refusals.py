"""Who may not come in: status and text, on the WebSocket and on validate alike, and in the client's own words."""

import json

import pytest
from livekit import rtc

from harness import raw
from harness.api import Api
from harness.tokens import DEV_APP, DEV_USERSIG_KEY, token, user_sig
from harness.until import until

LONG = "x" * 257

# (case, token for room "r" or what else it is for, status, code)
CASES = [
    ("no token", lambda: "", 401, "token_missing"),
    ("no token at all but words", lambda: "not-a-token", 401, "token_invalid"),
    ("signed with another secret", lambda: token("anna", "r", secret="guessed"), 401, "token_invalid"),
    ("signed by another key", lambda: token("anna", "r", key="stranger"), 401, "key_unknown"),
    ("expired", lambda: token("anna", "r", ttl_s=-3600), 401, "token_expired"),
    ("no right to join", lambda: token("anna", "r", room_join=False), 401, "join_not_granted"),
    ("name too long", lambda: token(LONG, "r"), 400, "identity_too_long"),
    ("room too long", lambda: token("anna", LONG), 400, "room_name_invalid"),
    ("no integer room", lambda: token("anna", "int/0"), 400, "room_name_invalid"),
    ("token too large", lambda: token("anna", "r", attributes={"a": "m" * 66_000}), 401, "token_invalid"),
]


@pytest.mark.parametrize(("make", "status", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_refused_with_status_and_reason(server, protocol, make, status, code):
    jwt = make()
    for ask in (raw.upgrade_status, raw.validate_status):
        got, kind, body = await ask(server.http, protocol, jwt)
        assert (got, kind) == (status, "text/plain"), (ask.__name__, got, kind, body)
        assert body.startswith(f"{code}: "), body
    got, kind, body = await raw.validate_status(server.http, protocol, jwt, accept="application/json")
    assert (got, kind) == (status, "application/json"), body
    assert code in json.dumps(json.loads(body))


async def test_a_good_token_validates(server, protocol):
    jwt = token("anna", "fine")
    got, _, body = await raw.validate_status(server.http, protocol, jwt)
    assert (got, body) == (200, "success")
    got, _, _ = await raw.upgrade_status(server.http, protocol, jwt)
    assert got == 101


async def test_a_token_for_another_room(server):
    """Older clients name the room in the query; it must be the token's."""
    jwt = token("anna", "this")
    got, _, body = await raw.validate_status(server.http, "v0", jwt, room="that")
    assert got == 401 and body.startswith("room_not_granted: "), body


async def test_the_client_shows_the_reason(server, guests, protocol):
    with pytest.raises(rtc.ConnectError, match="token_expired"):
        await guests.join("anna", protocol, jwt=token("anna", guests.room, ttl_s=-3600))


async def test_plain_requests_and_foreign_pages(server):
    """A signalling path without a WebSocket is nothing; in development mode other sites are refused."""
    got, _, _ = await raw._get(f"{server.http}/rtc?{raw.query('v0')}", raw._bearer(token("anna", "r")))
    assert got == 404
    got, _, body = await raw._get(f"{server.http}/", {})
    assert (got, body) == (200, "OK")
    for headers in ({"Origin": "https://example.org"}, {"Host": "example.org"}):
        got, _, _ = await raw._get(f"{server.http}/rtc/validate", {**headers, **raw._bearer(token("anna", "r"))})
        assert got == 403, headers


async def test_a_disabled_application_lets_nobody_in_and_throws_nobody_out(guests, api, server, protocol):
    anna = await guests.join("anna", protocol)
    ben = await guests.join("ben", protocol)
    await api.set_enabled(False)
    try:
        for ask in (raw.upgrade_status, raw.validate_status):
            got, _, body = await ask(server.http, protocol, token("carl", guests.room))
            assert got == 403 and body.startswith("app_disabled: "), body
        # Who is inside may come back to that room, as after a reload (policy A21), but into no other.
        got, _, body = await raw.validate_status(server.http, protocol, token("anna", guests.room))
        assert got == 200, body
        got, _, _ = await raw.upgrade_status(server.http, protocol, token("anna", f"{guests.room}-other"))
        assert got == 403
        with pytest.raises(rtc.ConnectError, match="app_disabled"):
            await guests.join("carl", protocol)
        await anna.me.publish_data(b"still here")
        await _received(ben, b"still here")
        assert not anna.told("disconnected") and not ben.told("disconnected")
    finally:
        await api.set_enabled(True)
    carl = await guests.join("carl", protocol)
    await carl.sees_person("anna")


async def _received(person, data: bytes) -> None:
    await until(
        f"{person.identity} has {data!r}", lambda: data in [packet.data for (packet,) in person.told("data_received")]
    )


async def test_operator_api_needs_its_token(server):
    for bearer, wanted in ((None, 401), ("guessed", 401), ("dev-operator", 200), ("dev-operator-2", 200)):
        async with Api(server.http, bearer) as someone:
            got, _ = await someone.call("GET", f"/api/v1/apps/{DEV_APP}")
            assert got == wanted, bearer


async def test_usersig_is_exchanged_for_a_token(guests, api):
    body = {
        "sdk_app_id": DEV_APP,
        "user_id": "anna",
        "user_sig": user_sig(DEV_USERSIG_KEY, "anna"),
        "room": guests.room,
        "role": "anchor",
    }
    status, answer = await api.call("POST", "/usersig/token", body)
    assert status == 200, answer
    anna = await guests.join(jwt=answer["token"], url=answer["url"])
    assert anna.identity == "anna" and anna.room.name == guests.room
    wrong = [
        ("signed with another key", {"user_sig": user_sig("0" * 64, "anna")}, 401, "usersig_invalid"),
        ("of another user", {"user_sig": user_sig(DEV_USERSIG_KEY, "ben")}, 401, "usersig_invalid"),
        ("of another application", {"user_sig": user_sig(DEV_USERSIG_KEY, "anna", 1400000002)}, 401, "usersig_invalid"),
        ("no signature", {"user_sig": "*-_"}, 401, "usersig_invalid"),
        ("expired", {"user_sig": user_sig(DEV_USERSIG_KEY, "anna", at=1_700_000_000)}, 401, "usersig_expired"),
        ("an unknown application", {"sdk_app_id": 1}, 401, "usersig_invalid"),
        ("a name too long", {"user_id": "x" * 33, "user_sig": user_sig(DEV_USERSIG_KEY, "x" * 33)}, 400, "identity_too_long"),
        ("a room too long", {"room": "r" * 65}, 400, "room_name_invalid"),
    ]
    for what, change, wanted, code in wrong:
        status, answer = await api.call("POST", "/usersig/token", {**body, **change})
        assert status == wanted and code in json.dumps(answer), (what, status, answer)
    assert len(await api.participants(guests.room)) == 1


async def test_roles_of_usersig(guests, api):
    """An audience may not publish, and an integer room is another than the string room of the same digits."""
    body = {
        "sdk_app_id": DEV_APP,
        "user_id": "vera",
        "user_sig": user_sig(DEV_USERSIG_KEY, "vera"),
        "room_id": 4711,
        "role": "audience",
    }
    status, answer = await api.call("POST", "/usersig/token", body)
    assert status == 200 and answer["room"] == "int/4711", answer
    vera = await guests.join(jwt=answer["token"])
    await guests.join("anna", room="4711")
    (row,) = await api.participants("int/4711")
    assert (row["identity"], row["role"]) == ("vera", "audience")
    assert not vera.me.permissions.can_publish
