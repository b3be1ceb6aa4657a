"""Callbacks in the vendor's form and LiveKit's webhooks, from real calls, to receivers good and bad."""

import asyncio
import base64
import hashlib
import hmac

import pytest
from livekit import api as lk

from harness.api import Api
from harness.media import Picture, Tone
from harness.people import Guests
from harness.receiver import Receiver
from harness.tokens import DEV_APP, DEV_KEY, DEV_SECRET
from harness.until import until

KEY = "callbackkey0123456789"
PATH = f"/api/v1/apps/{DEV_APP}"


@pytest.fixture
async def receiver():
    async with Receiver() as receiver:
        yield receiver


async def configure(api: Api, receiver: Receiver, *, groups=(1, 2), webhook: bool = True) -> None:
    body = {
        "callback": {"url": receiver.url("vendor"), "key": KEY, "groups": list(groups)},
        "webhooks": [{"url": receiver.url("livekit")}] if webhook else [],
    }
    await api.ok("PUT", f"{PATH}/callbacks", body)


def kinds(receiver: Receiver, room: str | int) -> list[int]:
    """Types of the vendor's events of a room, as they came."""
    events = [got.json for got in receiver.taken("vendor")]
    return [event["EventType"] for event in events if event["EventInfo"]["RoomId"] == room]


def names(receiver: Receiver, room: str) -> list[str]:
    """LiveKit's names of the events of a room, as they came."""
    events = [got.json for got in receiver.taken("livekit")]
    return [event["event"] for event in events if event["room"]["name"] == room]


async def test_a_call_is_told_in_both_forms(server, api, receiver):
    await configure(api, receiver)
    guests = Guests(server.ws, "int/88")
    anna = await guests.join("anna")
    ben = await guests.join("ben")
    await anna.publish(Tone(440.0))
    await anna.publish(Picture())
    await ben.watch("anna")
    await ben.leave()
    await anna.leave()
    await until("the vendor's last", lambda: 102 in kinds(receiver, 88), 20.0)
    seen = kinds(receiver, 88)
    assert seen[0] == 101 and seen[-1] == 102, seen
    assert (seen.count(103), seen.count(104)) == (2, 2), seen
    assert (seen.count(201), seen.count(203)) == (1, 1), seen

    for got in receiver.taken("vendor"):
        assert got.headers["sdkappid"] == str(DEV_APP)
        assert got.headers["content-type"].startswith("application/json")
        digest = hmac.new(KEY.encode(), got.body, hashlib.sha256).digest()
        assert got.headers["sign"] == base64.b64encode(digest).decode()
        assert got.json["EventGroupId"] in (1, 2) and got.json["CallbackTs"] > 1_600_000_000_000
        assert got.json["EventInfo"]["EventMsTs"] // 1000 == got.json["EventInfo"]["EventTs"]
    enter = next(got.json for got in receiver.taken("vendor") if got.json["EventType"] == 103)
    assert enter["EventInfo"]["UserId"] == "anna" and enter["EventInfo"]["Role"] == 20

    await until("LiveKit's last", lambda: "room_finished" in names(receiver, "int/88"), 20.0)
    seen = names(receiver, "int/88")
    assert seen[0] == "room_started" and seen[-1] == "room_finished", seen
    assert (seen.count("participant_joined"), seen.count("participant_left")) == (2, 2), seen
    assert seen.count("track_published") == 2, seen
    # LiveKit's own receiver checks signature and hash.
    check = lk.WebhookReceiver(lk.TokenVerifier(DEV_KEY, DEV_SECRET))
    for got in receiver.taken("livekit"):
        assert got.headers["content-type"] == "application/webhook+json"
        event = check.receive(got.body.decode(), got.headers["authorization"])
        assert event.id and event.created_at
        with pytest.raises(Exception):
            check.receive(got.body.decode().replace("int/88", "int/89"), got.headers["authorization"])


async def test_only_the_groups_asked_for_come(server, api, receiver):
    await configure(api, receiver, groups=(2,), webhook=False)
    guests = Guests(server.ws, "groups")
    anna = await guests.join("anna")
    await anna.publish(Tone(440.0))
    await until("the audio is told", lambda: 203 in kinds(receiver, "groups"))
    await anna.leave()
    assert set(kinds(receiver, "groups")) <= {201, 202, 203, 204}


async def test_a_receiver_that_is_down_for_half_a_minute_gets_everything_in_order(server, api, receiver):
    await configure(api, receiver)
    guests = Guests(server.ws, "patience")
    await receiver.down()
    memory = server.resident_kib()
    anna = await guests.join("anna")
    await anna.publish(Tone(440.0))
    for number in range(5):
        ben = await guests.join(f"ben-{number}")
        await ben.leave()
    await anna.leave()
    await asyncio.sleep(30)
    assert not receiver.taken("vendor")
    await receiver.up()
    await until("the vendor's last", lambda: 102 in kinds(receiver, "patience"), 60.0)
    await until("LiveKit's last", lambda: "room_finished" in names(receiver, "patience"), 60.0)
    seen = kinds(receiver, "patience")
    assert seen[0] == 101 and seen[-1] == 102 and seen.count(103) == seen.count(104) == 6, seen
    moments = [got.json["EventInfo"]["EventMsTs"] for got in receiver.taken("vendor")]
    assert moments == sorted(moments), "order within the room"
    ids = [got.json["id"] for got in receiver.taken("livekit")]
    assert len(ids) == len(set(ids)), "each event has an id of its own"
    assert server.resident_kib() < memory + 60_000


async def test_a_slow_receiver_holds_nobody_else_up(server, api, receiver):
    made = await api.ok("POST", "/api/v1/accounts/AC_development/apps", {"name": "slow"})
    async with Receiver() as slow:
        slow.delay_s = 4.0
        body = {"callback": {"url": slow.url("vendor"), "key": KEY, "groups": [1, 2]}, "webhooks": []}
        await api.ok("PUT", f"/api/v1/apps/{made['sdk_app_id']}/callbacks", body)
        await configure(api, receiver, webhook=False)
        from harness.tokens import token

        other = Guests(server.ws, "slow-room")
        for number in range(3):
            jwt = token(f"c-{number}", "slow-room", key=made["api_key"], secret=made["api_secret"])
            await other.join(f"c-{number}", jwt=jwt)
        guests = Guests(server.ws, "quick-room")
        began = asyncio.get_running_loop().time()
        anna = await guests.join("anna")
        await until("the quick one is told", lambda: 103 in kinds(receiver, "quick-room"))
        assert asyncio.get_running_loop().time() - began < 3.0
        await anna.leave()
        await other.all_leave()


async def test_what_was_given_up_is_listed_and_replayed(server, api, receiver):
    await configure(api, receiver, webhook=False)
    receiver.status = 500
    guests = Guests(server.ws, "failing")
    anna = await guests.join("anna")

    async def failed():
        rows = (await api.ok("GET", f"{PATH}/deliveries", state="failed", room="failing"))["items"]
        return [row for row in rows if row["state"] == "failed"]

    rows = await until("the first is given up", failed, 100.0)
    assert max(row["attempts"] for row in rows) >= 7, rows
    receiver.status = 200
    before = len(receiver.taken("vendor"))
    await api.ok("POST", f"{PATH}/deliveries/{rows[0]['id']}/replay", {})
    await until("it is taken now", lambda: len(receiver.taken("vendor")) > before)
    await anna.leave()


async def test_a_test_delivery_arrives(server, api, receiver):
    await configure(api, receiver)
    await api.ok("POST", f"{PATH}/callbacks/test", {})
    await until("both receivers are reached", lambda: receiver.taken("vendor") and receiver.taken("livekit"))
