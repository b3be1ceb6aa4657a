"""Call quality and data monitoring, with the vendor's SDK, of a call that LiveKit's clients hold."""

import asyncio
import datetime
import time

import pytest

from harness.cloud import Cloud
from harness.media import Picture, Tone
from harness.people import Guests
from harness.tokens import DEV_APP
from harness.until import until


@pytest.fixture
def cloud(server):
    return Cloud(server.http)


def now() -> int:
    return int(time.time())


async def test_a_call_can_be_looked_at_while_it_goes_on_and_afterwards(server, cloud):
    guests = Guests(server.ws, "int/501")
    anna = await guests.join("anna")
    await anna.publish(Tone(440.0))
    await anna.publish(Picture())
    ben = await guests.join("ben")
    eye = await ben.watch("anna")
    ear = await ben.listen("anna")
    await until("ben sees her", eye.sees)
    await until("and hears her", lambda: ear.hears(440.0))
    await asyncio.sleep(16)

    async def room():
        rooms = await cloud.call("DescribeRoomInfo", SdkAppId=DEV_APP, StartTime=now() - 3600, EndTime=now() + 60, RoomId="501")
        return next((one for one in rooms["RoomList"] or [] if one["RoomString"] == "501"), None)

    life = await until("the room is listed", room)
    assert life["UserId"] == "anna" and not life["IsFinished"], life
    assert life["CommId"].startswith(f"{DEV_APP}_501_"), life

    async def users():
        answer = await cloud.call("DescribeUserInfo", CommId=life["CommId"], SdkAppId=DEV_APP, StartTime=now() - 3600, EndTime=now() + 60)
        return answer if answer["Total"] == 2 else None

    people = await until("both are listed", users)
    assert {one["UserId"] for one in people["UserList"]} == {"anna", "ben"}
    assert all(one["JoinTs"] and not one["Finished"] for one in people["UserList"]), people

    async def details(data_type: list[str] | None = None):
        extra = {"DataType": data_type} if data_type else {}
        return await cloud.call(
            "DescribeCallDetailInfo",
            CommId=life["CommId"],
            SdkAppId=DEV_APP,
            StartTime=now() - 1800,
            EndTime=now() + 60,
            UserIds=["anna", "ben"],
            **extra,
        )

    async def series():
        answer = await details(["all"])
        return answer if answer["Data"] and any(one["Content"] for one in answer["Data"]) else None

    found = await until("there are figures", series, 20.0)
    for one in found["Data"]:
        for point in one["Content"] or []:
            assert point["Value"] >= 0 and point["Time"] > 0, one

    def latest(user: str, data_type: str):
        lines = [one["Content"] for one in found["Data"] if (one["UserId"], one["DataType"]) == (user, data_type)]
        return lines[0][-1]["Value"] if lines and lines[0] else None

    # The way to whoever receives. The camera of these clients takes some 300 kbit/s or more, and all of it goes out.
    assert latest("ben", "downEstimate") >= 100_000, found["Data"]
    assert [latest("ben", name) for name in ("downLimited", "downPaused", "downVia")] == [0, 0, 1], found["Data"]
    assert latest("anna", "downEstimate") is None, "nothing goes to her"

    live = await cloud.call("DescribeTRTCRealTimeScaleData", SdkAppId=str(DEV_APP), StartTime=now() - 600, EndTime=now())
    assert live["Data"] is not None
    quality = await cloud.call("DescribeTRTCRealTimeQualityData", SdkAppId=str(DEV_APP), StartTime=now() - 600, EndTime=now())
    assert quality["Data"] is not None

    await guests.all_leave()

    async def finished():
        one = await room()
        return one if one and one["IsFinished"] else None

    await until("the room is finished", finished)
    events = await cloud.call(
        "DescribeUserEvent",
        CommId=life["CommId"],
        UserId="anna",
        RoomId="501",
        SdkAppId=DEV_APP,
        StartTime=now() - 1800,
        EndTime=now() + 60,
    )
    ids = [event["EventId"] for one in events["Data"] for event in one["Content"]]
    assert len(ids) >= 3, events

    unusual = await cloud.call("DescribeUnusualEvent", SdkAppId=DEV_APP, StartTime=now() - 1800, EndTime=now() + 60)
    assert unusual["Total"] >= 0
    today = datetime.datetime.now(datetime.timezone.utc).date()
    scale = await cloud.call("DescribeScaleInfo", SdkAppId=DEV_APP, StartTime=now() - 86_400, EndTime=now() + 60)
    assert any(day["UserNumber"] >= 2 and day["RoomNumbers"] >= 1 for day in scale["ScaleList"]), scale
    span = {"SdkAppId": str(DEV_APP), "StartTime": str(today), "EndTime": str(today), "Period": "d"}
    assert (await cloud.call("DescribeTRTCMarketScaleData", **span))["Data"] is not None
    assert (await cloud.call("DescribeTRTCMarketQualityData", **span))["Data"] is not None


WINDOWS = [
    ("DescribeRoomInfo", {"StartTime": -15 * 86_400, "EndTime": 0}),
    ("DescribeRoomInfo", {"StartTime": 0, "EndTime": -60}),
    ("DescribeUnusualEvent", {"StartTime": -7_200, "EndTime": 0}),
    ("DescribeScaleInfo", {"StartTime": -20 * 86_400, "EndTime": 0}),
]


@pytest.mark.parametrize(("action", "window"), WINDOWS, ids=[f"{row[0]}-{n}" for n, row in enumerate(WINDOWS)])
async def test_windows_that_are_too_wide_or_too_old_are_refused(cloud, action, window):
    params = {name: now() + offset for name, offset in window.items()}
    refused = await cloud.refusal(action, SdkAppId=DEV_APP, **params)
    assert refused.code.startswith("InvalidParameter"), refused
