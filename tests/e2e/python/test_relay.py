"""People whose only way is the relay (TURN) see and hear each other through it."""

import time

import pytest
from livekit import rtc

from harness.api import Api
from harness.cloud import Cloud
from harness.media import Picture, Tone
from harness.people import PROTOCOLS, Guests
from harness.server import Server
from harness.tokens import DEV_APP
from harness.until import until

# Numbers of `downVia`.
UDP, RELAY = 1, 3


@pytest.fixture(scope="module")
def relaying():
    server = Server("test_relay", args=("--turn", "--turn-port", "0"))
    yield server
    assert server.stop() == 0, server.tail()


async def downlinks(server, room):
    """How everybody is connected by the latest samples; nothing before both have one."""
    cloud, now = Cloud(server.http), int(time.time())
    span = {"SdkAppId": DEV_APP, "StartTime": now - 600, "EndTime": now + 60}
    rooms = await cloud.call("DescribeRoomInfo", RoomId=room, **span)
    found = rooms["RoomList"] or []
    if not found:
        return None
    answer = await cloud.call("DescribeCallDetailInfo", CommId=found[0]["CommId"], DataType=["all"], **span)
    lines = [line for line in answer["Data"] or [] if line["DataType"] == "downVia" and line["Content"]]
    ways = {line["UserId"]: line["Content"][-1]["Value"] for line in lines}
    return ways if len(ways) == 2 else None


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_people_talk_through_the_relay(relaying, protocol):
    configuration = rtc.RtcConfiguration(ice_transport_type=rtc.IceTransportType.TRANSPORT_RELAY)
    guests = Guests(relaying.ws, f"relay-{protocol}")
    async with Api(relaying.http) as api:
        try:
            anna = await guests.join("anna", protocol, rtc_config=configuration)
            ben = await guests.join("ben", protocol)
            await anna.publish(Tone(440.0))
            await anna.publish(Picture())
            await ben.publish(Tone(1250.0))
            ear, eye = await ben.listen("anna"), await ben.watch("anna")
            back = await anna.listen("ben")
            await until("ben hears anna", lambda: ear.hears(440.0), 30)
            await until("ben sees anna", eye.sees, 30)
            await until("anna hears ben", lambda: back.hears(1250.0), 30)
            metrics = await api.metrics()
            assert metrics["fermata_turn_allocations"] >= {"v0": 2, "v1": 1}[protocol]
            # How many it took until all were heard differs; setting up takes a few.
            assert metrics["fermata_turn_datagrams_in_total"] > 50
            assert metrics["fermata_turn_datagrams_out_total"] > 25
            assert metrics["fermata_turn_forbidden_total"] == 0
            ways = await until("the samples say how they are connected", lambda: downlinks(relaying, f"relay-{protocol}"), 30)
            assert ways == {"anna": RELAY, "ben": UDP}
        finally:
            await guests.all_leave()
