"""Usage statistics, the node's windows and the bill say the same, to the minute; and what arrears leave open."""

import asyncio
import datetime
import time
from collections import Counter
from decimal import Decimal

import pytest

from harness.cloud import Cloud
from harness.media import Picture
from harness.people import Guests
from harness.scenario import Stage, account, application, overspend, pay
from harness.tokens import token
from harness.until import until

HOUR = datetime.timedelta(hours=1)


async def _stage(server, api, billing: str = "with daily billing") -> tuple[Stage, Cloud]:
    """A sandbox account with an application and a secret pair."""
    stage = Stage(server, api)
    await account(stage, None, billing)
    await application(stage)
    secret = await api.ok("POST", f"{stage.path}/secrets", {"name": "test", "policy": "full"})
    return stage, Cloud(server.http, secret["secret_id"], secret["secret_key"])


async def _usage(cloud: Cloud, day: datetime.date, app: int | None = None, days: int = 1) -> dict[str, float]:
    """Minutes by SKU over some days, as the usage action says."""
    span = {"StartTime": str(day), "EndTime": str(day + datetime.timedelta(days=days - 1))}
    answer = await cloud.call("DescribeTrtcUsage", **span, **({"SdkAppId": app} if app else {}))
    keys, sums = answer["UsageKey"], Counter()
    for row in answer["UsageList"]:
        assert len(row["UsageValue"]) == len(keys), row
        for key, value in zip(keys, row["UsageValue"]):
            sums[key] += value
    return {key: value for key, value in sums.items() if value}


async def test_statistics_bill_and_windows_agree(server, api):
    """Three people, 20 to 100 s apart; free minutes pay, so every minute stands on the day's bill."""
    stage, cloud = await _stage(server, api)
    guests = Guests(server.ws, "meeting")

    def pass_of(who: str) -> str:
        return token(who, "meeting", key=stage.app.key, secret=stage.app.secret)

    now = datetime.datetime.fromisoformat((await stage.standing())["now"])
    if now.hour == 23 and now.minute >= 50:
        await stage.move(advance="PT15M")
        now = datetime.datetime.fromisoformat((await stage.standing())["now"])
    anna = await guests.join("anna", jwt=pass_of("anna"))
    await anna.publish(Picture())
    ben = await guests.join("ben", jwt=pass_of("ben"))
    eye = await ben.watch("anna")
    await until("ben sees her", eye.sees)
    await asyncio.sleep(8)
    cleo = await guests.join("cleo", jwt=pass_of("cleo"), auto_subscribe=False)
    await asyncio.sleep(9)
    for person in (cleo, ben, anna):
        await person.leave()

    async def ended():
        span = {"from": f"{(now - HOUR * 24).date()}T00:00:00Z", "to": f"{(now + HOUR * 48).date()}T00:00:00Z"}
        stays = (await api.ok("GET", f"/api/v1/apps/{stage.app.number}/stays", **span))["items"]
        return stays if len(stays) == 3 and all(stay.get("ended_at") for stay in stays) else None

    stays = await until("all stays are stored", ended, 20.0)
    seconds = Counter()
    for stay in stays:
        for row in stay["seconds"]:
            seconds[row["sku"]] += row["seconds"]
    # The rule of the bill: seconds of the day, rounded up.
    minutes = {sku: -(-count // 60) for sku, count in seconds.items()}
    assert set(minutes) == {"audio", "video_hd"}, minutes

    assert await _usage(cloud, now.date(), stage.app.number) == minutes
    assert await _usage(cloud, now.date()) == minutes, "the whole account"
    assert await _usage(cloud, now.date(), days=2) == minutes, "by the day"

    room = await cloud.call(
        "DescribeTrtcRoomUsage",
        SdkAppid=stage.app.number,
        StartTime=f"{now.date()} 00:00",
        EndTime=f"{now.date()} 23:59",
    )
    head, *rows = room["Data"].strip().splitlines()
    assert head == "RoomId,Audio,SD,hd,FullHD,2K,4K"
    cells = [int(cell) for cell in rows[0].split(",")[1:]]
    assert (cells[0], sum(cells[1:])) == (seconds["audio"], seconds["video_hd"]), rows

    await stage.move(advance="PT48H")
    bills = (await api.ok("GET", f"{stage.path}/bills"))["items"]
    billed = Counter()
    for bill in bills:
        for line in (await api.ok("GET", f"{stage.path}/bills/{bill['id']}"))["lines"]:
            billed[line["sku"]] += line["minutes"]
    assert dict(billed) == minutes, bills


async def test_what_arrears_leave_open(server, api):
    """Dismissing and removing go on, usage is refused with the reasons, and is back within a second of payment."""
    stage, cloud = await _stage(server, api)
    app = stage.app
    guests = Guests(server.ws, "going-on")
    people = [await guests.join(who, jwt=token(who, "going-on", key=app.key, secret=app.secret)) for who in ("anna", "ben")]
    await overspend(stage, "10.00")
    await stage.move(advance="PT24H")
    assert (await stage.standing())["label"] == "arrears"

    today = str(datetime.datetime.now(datetime.timezone.utc).date())
    refused = await cloud.refusal("DescribeTrtcUsage", SdkAppId=app.number, StartTime=today, EndTime=today)
    assert refused.code == "FailedOperation.ServiceSuspended"
    assert "arrears" in refused.message.lower(), refused.message

    await cloud.call("RemoveUserByStrRoomId", SdkAppId=app.number, RoomId="going-on", UserIds=["ben"])
    await until("ben is out", lambda: people[1].told("disconnected"))
    assert not people[0].told("disconnected")
    await cloud.call("DismissRoomByStrRoomId", SdkAppId=app.number, RoomId="going-on")
    await until("anna is out", lambda: people[0].told("disconnected"))

    balance = await cloud.call("DescribeAccountBalance", "billing")
    assert Decimal(str(balance["Balance"])) < 0, balance

    await pay(stage, "10.00")
    began = time.monotonic()
    await cloud.call("DescribeTrtcUsage", SdkAppId=app.number, StartTime=today, EndTime=today)
    assert time.monotonic() - began < 1.0
    await guests.all_leave()


SPANS = [
    ("2026-02-30", "2026-03-01", "InvalidParameter"),
    ("2026-03-02", "2026-03-01", "InvalidParameter"),
    ("2026-01-01", "2026-02-15", "InvalidParameter"),
    ("yesterday", "2026-02-15", "InvalidParameter"),
]


@pytest.mark.parametrize(("start", "end", "code"), SPANS)
async def test_spans_that_cannot_be_are_named(server, start, end, code):
    refused = await Cloud(server.http).refusal("DescribeTrtcUsage", StartTime=start, EndTime=end)
    assert refused.code.startswith(code), refused
    assert start in refused.message or end in refused.message or "31" in refused.message, refused


async def test_kinds_without_use_are_zero(server):
    cloud = Cloud(server.http)
    today = str(datetime.datetime.now(datetime.timezone.utc).date())
    for action in ("DescribeRecordingUsage", "DescribeMixTranscodingUsage", "DescribeRelayUsage"):
        extra = {"MixType": "single"} if action == "DescribeRecordingUsage" else {}
        answer = await cloud.call(action, StartTime=today, EndTime=today, **extra)
        assert answer["UsageKey"], action
        assert not any(value for row in answer["UsageList"] or [] for value in row["UsageValue"]), action
