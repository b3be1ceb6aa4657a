"""The billing service with the vendor's SDK: what it says is what the ledger says."""

from decimal import Decimal

import pytest

from harness.cloud import Cloud
from harness.scenario import Stage, account, application, buy, pay, use


@pytest.fixture
async def books(server, api):
    """An account that paid 100, bought a package, used minutes, and has a bill."""
    stage = Stage(server, api)
    await account(stage, None, "with daily billing")
    await application(stage)
    await pay(stage, "100.00")
    await buy(stage, "minutes_25k")
    await use(stage, "40000", "audio")
    await stage.move(advance="PT48H")
    secret = await api.ok("POST", f"{stage.path}/secrets", {"name": "test", "policy": "read_only"})
    yield stage, Cloud(server.http, secret["secret_id"], secret["secret_key"])
    await stage.end()


async def test_the_balance_is_the_ledgers(books, api):
    stage, cloud = books
    ours = await api.ok("GET", f"{stage.path}/balance")
    theirs = await cloud.call("DescribeAccountBalance", "billing")
    # In cents.
    assert Decimal(str(theirs["RealBalance"])) == (Decimal(ours["available"]) * 100).to_integral_value("ROUND_FLOOR"), (theirs, ours)


async def test_bills_and_their_details_add_up(books, api):
    stage, cloud = books
    month = (await stage.standing())["now"][:7]
    bills = [await api.ok("GET", f"{stage.path}/bills/{bill['id']}") for bill in await stage.items("bills")]
    total = sum(Decimal(bill["total"]) for bill in bills if bill["issued_at"][:7] == month)
    detail = await cloud.call("DescribeBillDetail", "billing", Offset=0, Limit=100, Month=month, NeedRecordNum=1)
    found = sum(Decimal(part["RealCost"]) for row in detail["DetailSet"] for part in row["ComponentSet"])
    assert detail["Total"] == len(detail["DetailSet"]) > 0
    assert found >= total, (found, total)


async def test_every_movement_is_listed(books):
    stage, cloud = books
    day = (await stage.standing())["now"][:10]
    span = {"StartTime": f"{day[:7]}-01 00:00:00", "EndTime": f"{day} 23:59:59"}
    listed = await cloud.call("DescribeBillList", "billing", Offset=0, Limit=100, PayType=["all"], **span)
    amounts = [row["Amount"] for row in listed["TransactionList"]]
    assert 10_000 in [abs(amount) for amount in amounts], listed


async def test_what_is_not_built_says_so(books):
    _, cloud = books
    assert await cloud.code("DescribeSavingPlanUsage", "billing") in ("UnsupportedOperation", "InvalidAction")


async def test_months_that_cannot_be_are_named(books):
    _, cloud = books
    refused = await cloud.refusal("DescribeBillDetail", "billing", Offset=0, Limit=10, Month="2026-13")
    assert refused.code.startswith("InvalidParameter"), refused
