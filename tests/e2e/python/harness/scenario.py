"""Scenarios of the standing policy: plain sentences, each carried out on the real server through its API.

A file opens with the clause it shows. `Given` and `When` do something, `Then` looks; a line that begins with `and`
goes on in the same way, `#` is a remark. What a sentence does stands in `SENTENCES` below, one function each.
"""

import datetime
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import raw
from .api import Api
from .people import Guests, Person
from .tokens import token
from .until import until

FOLDER = Path(__file__).parent.parent / "scenarios"
SECOND_OPERATOR = "dev-operator-2"
ROOM = "room"
TIMES = {"once": 1, "twice": 2}

Sentence = Callable[..., Awaitable[None]]
SENTENCES: list[tuple[re.Pattern, Sentence]] = []


def sentence(pattern: str) -> Callable[[Sentence], Sentence]:
    """Says which sentences a function carries out."""

    def register(function: Sentence) -> Sentence:
        SENTENCES.append((re.compile(pattern), function))
        return function

    return register


@dataclass
class App:
    """An application and its credentials."""

    number: int
    key: str
    secret: str


@dataclass
class Stage:
    """One scenario on one sandbox account."""

    server: Any
    api: Api
    customer: Api | None = None
    account: str = ""
    partner: str = ""
    apps: list[App] = field(default_factory=list)
    guests: Guests | None = None
    people: dict[str, Person] = field(default_factory=dict)
    ticket: str = ""
    violation: str = ""
    suspended_at: str = ""
    fired: list[dict] = field(default_factory=list)
    payments: int = 0

    @property
    def app(self) -> App:
        return self.apps[0]

    @property
    def path(self) -> str:
        return f"/api/v1/accounts/{self.account}"

    async def standing(self) -> dict:
        return await self.api.ok("GET", f"{self.path}/standing")

    async def items(self, what: str) -> list[dict]:
        """A whole list, page by page."""
        items, after = [], {}
        while True:
            page = await self.api.ok("GET", f"{self.path}/{what}", limit=1000, **after)
            items += page["items"]
            if not page.get("next"):
                return items
            after = {"after": page["next"]}

    async def move(self, **how: str) -> None:
        self.fired = []
        while True:
            moved = await self.api.ok("POST", f"{self.path}/clock", how)
            self.fired += moved["fired"]
            if not moved["more"]:
                return

    async def validate(self, app: App, who: str = "newcomer") -> tuple[int, str]:
        jwt = token(who, ROOM, key=app.key, secret=app.secret)
        status, _, body = await raw.validate_status(self.server.http, "v1", jwt)
        return status, body

    async def end(self) -> None:
        if self.guests:
            await self.guests.all_leave()
        if self.customer:
            await self.customer.__aexit__()


def steps(path: Path) -> tuple[str, list[str]]:
    """The clause, and the sentences without their first words."""
    title, *lines = [line.strip() for line in path.read_text().splitlines()]
    words = [line for line in lines if line and not line.startswith("#")]
    return title, [re.sub(r"^(Given|When|Then|and) ", "", line) for line in words]


async def play(stage: Stage, path: Path) -> None:
    """Carries a scenario out; a sentence that nobody knows is an error, and so is one that two know."""
    for words in steps(path)[1]:
        known = [(pattern.fullmatch(words), function) for pattern, function in SENTENCES]
        known = [(match, function) for match, function in known if match]
        assert len(known) == 1, f"{path.name}: {len(known)} meanings of: {words}"
        match, function = known[0]
        try:
            await function(stage, *match.groups())
        except AssertionError as error:
            standing = await stage.standing() if stage.account else None
            raise AssertionError(f"{path.name}: {words}: {error}\n{standing}") from error


# --- Given ------------------------------------------------------------------------------------------------


@sentence(r"a partner whose agreement gives (\d+) hours of grace")
async def agreement(stage: Stage, hours: str) -> None:
    stage.partner = f"reseller-{uuid.uuid4().hex[:8]}"
    await stage.api.ok("POST", "/api/v1/partners", {"id": stage.partner, "name": "Reseller"})
    terms = {"grace_hours": int(hours)}
    await stage.api.ok("POST", "/api/v1/agreements", {"partner": stage.partner, "terms": terms})


@sentence(r"an account (of that partner )?(with daily billing|with monthly billing|without postpaid billing)")
async def account(stage: Stage, of_partner: str | None, mode: str) -> None:
    billing = "off" if mode.startswith("without") else mode.split()[1]
    body = {"name": "Scenario", "currency": "USD", "time_zone": "UTC", "billing": billing, "sandbox": True}
    if of_partner:
        body["partner"] = stage.partner
    stage.account = (await stage.api.ok("POST", "/api/v1/accounts", body))["id"]
    made = await stage.api.ok("POST", "/api/v1/tokens", {"name": "own", "role": "customer", "account": stage.account})
    stage.customer = Api(stage.server.http, made["token"])


@sentence(r"(?:an|another) application")
async def application(stage: Stage) -> None:
    made = await stage.api.ok("POST", f"{stage.path}/apps", {"name": f"app {len(stage.apps)}"})
    stage.apps.append(App(made["sdk_app_id"], made["api_key"], made["api_secret"]))


@sentence(r"a warning is subscribed for a balance below USD ([\d.]+)")
async def subscribed(stage: Stage, below: str) -> None:
    body = {"account": stage.account, "contact": "owner", "kind": "balance_low", "below": below}
    await stage.api.ok("POST", "/api/v1/notice-subscriptions", body)


# --- Money and minutes ------------------------------------------------------------------------------------


@sentence(r"USD ([\d.]+) (?:was|is) paid")
async def pay(stage: Stage, amount: str) -> None:
    stage.payments += 1
    body = {"amount": amount, "provider_ref": f"{stage.account}-{stage.payments}"}
    await stage.api.ok("POST", f"{stage.path}/payments", body)


@sentence(r"USD ([\d.]+) is taken off by the operator")
async def take_off(stage: Stage, amount: str) -> None:
    body = {"amount": f"-{amount}", "reason": "scenario"}
    await stage.api.ok("POST", f"{stage.path}/adjustments", body)


@sentence(r"the account spends USD ([\d.]+) more than it has")
async def overspend(stage: Stage, amount: str) -> None:
    balance = await stage.api.ok("GET", f"{stage.path}/balance")
    await take_off(stage, str(Decimal(balance["available"]) + Decimal(amount)))


@sentence(r"the package (\w+) is bought")
async def buy(stage: Stage, kind: str) -> None:
    body: dict[str, Any] = {"type": kind}
    if kind.startswith("monthly"):
        body["app"] = stage.app.number
    await stage.api.ok("POST", f"{stage.path}/packages", body)


@sentence(r"the application uses (\d+) minutes of (\w+)")
async def use(stage: Stage, minutes: str, sku: str) -> None:
    await stage.api.ok(
        "POST", f"{stage.path}/usage", {"app": stage.app.number, "sku": sku, "minutes": int(minutes)}
    )


# --- Time -------------------------------------------------------------------------------------------------


@sentence(r"(\d+) (seconds|minutes|hours|days) pass")
async def wait(stage: Stage, count: str, unit: str) -> None:
    letter = {"seconds": "TS", "minutes": "TM", "hours": "TH", "days": "D"}[unit]
    *time, unit_letter = letter
    await stage.move(advance=f"P{''.join(time)}{count}{unit_letter}")


async def _to_timer(stage: Stage, prefix: str) -> None:
    timers = (await stage.standing())["timers"]
    due = next(timer["due"] for timer in timers if timer["kind"].startswith(prefix))
    await stage.move(to=due)


@sentence(r"the day's bill is out")
async def day_closes(stage: Stage) -> None:
    await _to_timer(stage, "day_close")


@sentence(r"the month's bill is out")
async def month_closes(stage: Stage) -> None:
    await _to_timer(stage, "month_close")


@sentence(r"a new month begins")
async def month_begins(stage: Stage) -> None:
    await _to_timer(stage, "free_grant")


@sentence(r"the clock moves to 60 days after the suspension")
async def sixty_days(stage: Stage) -> None:
    hold = next(hold for hold in (await stage.standing())["holds"] if hold["kind"] == "arrears")
    to = datetime.datetime.fromisoformat(hold["since"]) + datetime.timedelta(days=60)
    await stage.move(to=to.isoformat().replace("+00:00", "Z"))


@sentence(r"nothing was cleared by that")
async def nothing_cleared(stage: Stage) -> None:
    taken = {transition for fired in stage.fired for transition in fired["transitions"]}
    assert "T19" in taken and "T20" not in taken, taken


# --- Operators and customers ------------------------------------------------------------------------------


@sentence(r"the application is (disabled|enabled)")
async def switch(stage: Stage, what: str) -> None:
    await stage.customer.ok("POST", f"/api/v1/apps/{stage.app.number}/{what.removesuffix('d')}", {})


@sentence(r"an operator proposes a violation")
async def propose(stage: Stage) -> None:
    body = {"kind": "violation", "cause": "content", "reason": "spam", "evidence": "case 7"}
    stage.violation = (await stage.api.ok("POST", f"{stage.path}/holds", body))["id"]


@sentence(r"the same operator cannot approve it")
async def not_alone(stage: Stage) -> None:
    status, body = await stage.api.call("POST", f"{stage.path}/holds/{stage.violation}/approve", {})
    assert status == 403, body


@sentence(r"another operator approves it")
async def approve(stage: Stage) -> None:
    async with Api(stage.server.http, SECOND_OPERATOR) as second:
        await second.ok("POST", f"{stage.path}/holds/{stage.violation}/approve", {})


@sentence(r"the violation cannot be lifted")
async def final(stage: Stage) -> None:
    status, body = await stage.api.call("DELETE", f"{stage.path}/holds/{stage.violation}")
    assert (status, body["error"]["code"]) == (409, "Final"), body


@sentence(r"the customer asks to close the account")
async def ask_to_close(stage: Stage) -> None:
    stage.ticket = (await stage.customer.ok("POST", f"{stage.path}/tickets", {}))["id"]


@sentence(r"the customer (cannot confirm yet|confirms|takes it back)")
async def close_or_not(stage: Stage, what: str) -> None:
    word = "cancel" if what == "takes it back" else "confirm"
    status, body = await stage.customer.call("POST", f"{stage.path}/tickets/{stage.ticket}/{word}", {})
    assert status == (409 if what == "cannot confirm yet" else 200), body


@sentence(r"the customer sees (\d+) live rooms?")
async def live_rooms(stage: Stage, count: str) -> None:
    assert len(await stage.customer.rooms(stage.app.number)) == int(count)


@sentence(r"the customer dismisses the room")
async def dismiss(stage: Stage) -> None:
    await stage.customer.dismiss(ROOM, stage.app.number)


@sentence(r"the customer's API is refused as ServiceSuspended")
async def api_closed(stage: Stage) -> None:
    status, body = await stage.customer.call("GET", f"/api/v1/apps/{stage.app.number}/keys")
    assert (status, body["error"]["code"]) == (403, "ServiceSuspended"), body
    reasons = body["error"]["reasons"]
    assert [reason["kind"] for reason in reasons] == ["arrears"] and all(r["remedy"] for r in reasons), body


# --- People in rooms --------------------------------------------------------------------------------------


@sentence(r"(Anna|Ben) (?:enters the room|comes back by a fresh join)")
async def enter(stage: Stage, who: str) -> None:
    stage.guests = stage.guests or Guests(stage.server.ws, ROOM)
    jwt = token(who, ROOM, key=stage.app.key, secret=stage.app.secret)
    before = stage.people.get(who)
    stage.people[who] = await stage.guests.join(who, jwt=jwt)
    if before:
        await until(f"the earlier {who} is told", lambda: before.told("disconnected"))


@sentence(r"(Anna|Ben) reloads the page")
async def reload(stage: Stage, who: str) -> None:
    # A page says good-bye when it goes, and comes back as somebody new to the server.
    await stage.people[who].leave()
    jwt = token(who, ROOM, key=stage.app.key, secret=stage.app.secret)
    stage.people[who] = await stage.guests.join(who, jwt=jwt)


@sentence(r"Anna and Ben still hear of each other")
async def together(stage: Stage) -> None:
    anna, ben = stage.people["Anna"], stage.people["Ben"]
    await anna.sees_person("Ben")
    await ben.sees_person("Anna")
    heard = len(ben.told("data_received"))
    await anna.me.publish_data(b"still here")
    await until("Ben hears Anna", lambda: len(ben.told("data_received")) > heard)
    assert not anna.told("disconnected") and not ben.told("disconnected")


@sentence(r"their minutes are counted")
async def counted(stage: Stage) -> None:
    async def seconds() -> int:
        now = datetime.datetime.fromisoformat((await stage.standing())["now"]).date()
        span = {"from": str(now - datetime.timedelta(days=2)), "to": str(now)}
        rows = await stage.api.ok("GET", f"{stage.path}/usage", **span)
        return sum(row["seconds"] for row in rows["items"])

    before = await seconds()

    async def more():
        return await seconds() > before

    await until("seconds are counted", more, 30.0)


@sentence(r"(Anna|Ben) is out of the room")
async def out(stage: Stage, who: str) -> None:
    await until(f"{who} is out", lambda: stage.people[who].told("disconnected"))


# --- What can be seen -------------------------------------------------------------------------------------


@sentence(r"the label is (\w+)")
async def label(stage: Stage, expected: str) -> None:
    assert (await stage.standing())["label"] == expected


async def _holds(stage: Stage, app: App) -> list[str]:
    apps = (await stage.standing())["apps"]
    own = next(one for one in apps if one["sdk_app_id"] == app.number)
    return [hold["kind"] for hold in own["holds"]]


@sentence(r"the holds are ([\w, ]+)")
async def holds(stage: Stage, kinds: str) -> None:
    found = await _holds(stage, stage.app)
    assert found == kinds.split(", "), found


@sentence(r"every application has the holds ([\w, ]+)")
async def every_app_holds(stage: Stage, kinds: str) -> None:
    for app in stage.apps:
        assert await _holds(stage, app) == kinds.split(", ")


@sentence(r"there are no holds")
async def no_holds(stage: Stage) -> None:
    found = await _holds(stage, stage.app)
    assert found == [], found


@sentence(r"joining( the application| another application)? is allowed")
async def may_join(stage: Stage, which: str | None) -> None:
    answer = await stage.validate(stage.apps[1 if which == " another application" else 0])
    assert answer == (200, "success"), answer


async def _refused(stage: Stage, app: App, codes: str, who: str) -> None:
    status, body = await stage.validate(app, who)
    found = re.findall(r"(\w+): ", body)
    assert status in (401, 403) and found == codes.split(", "), (status, body)


@sentence(r"joining( the application| another application)? is refused for ([\w, ]+)")
async def may_not_join(stage: Stage, which: str | None, codes: str) -> None:
    await _refused(stage, stage.apps[1 if which == " another application" else 0], codes, "newcomer")


@sentence(r"(Anna|Ben|Carl) is refused for ([\w, ]+)")
async def person_refused(stage: Stage, who: str, codes: str) -> None:
    await _refused(stage, stage.app, codes, who)


@sentence(r"(api|dismiss|billing|recordings) is (not )?allowed")
async def class_allowed(stage: Stage, which: str, no: str | None) -> None:
    assert (await stage.standing())["allows"][which] is not bool(no)


@sentence(r"reclamation is (not )?due")
async def reclaim_due(stage: Stage, no: str | None) -> None:
    stage_now = (await stage.standing())["reclaim"]["stage"]
    assert stage_now == ("none" if no else "due"), stage_now


@sentence(r"(no notice|the notice) (\w+) was sent(?: (once|twice|\d+ times))?")
async def notice(stage: Stage, which: str, kind: str, times: str | None) -> None:
    found = [one for one in await stage.items("notices") if one["kind"] == kind]
    expected = 0 if which == "no notice" else TIMES.get(times or "once") or int(times.split()[0])
    assert len(found) == expected, [one["title"] for one in found]
    assert all(one["text"] and one["clauses"] for one in found), found


@sentence(r"there are receipts for ([\w, ]+)")
async def receipts(stage: Stage, classes: str) -> None:
    found = [receipt["class"] for receipt in await stage.items("receipts")]
    assert found == classes.split(", "), found


@sentence(r"the balance is USD (-?[\d.]+)")
async def balance(stage: Stage, amount: str) -> None:
    found = await stage.api.ok("GET", f"{stage.path}/balance")
    assert found["available"] == amount, found


@sentence(r"(\d+) minutes are left")
async def left(stage: Stage, minutes: str) -> None:
    now = (await stage.standing())["now"][:10]
    live = [one for one in await stage.items("packages") if one["status"] == "live" and one["from"] <= now <= one["until"]]
    assert sum(Decimal(one["left"]) for one in live) == int(minutes), live


@sentence(r"nothing is left of the packages")
async def nothing_left(stage: Stage) -> None:
    found = await stage.items("packages")
    assert all(one["status"] != "live" and Decimal(one["left"]) == 0 for one in found), found


@sentence(r"there are no bills")
async def no_bills(stage: Stage) -> None:
    assert await stage.items("bills") == []


async def _last_bill(stage: Stage) -> dict:
    newest = max(await stage.items("bills"), key=lambda bill: bill["issued_at"])
    return await stage.api.ok("GET", f"{stage.path}/bills/{newest['id']}")


@sentence(r"the last bill is USD ([\d.]+)")
async def last_bill(stage: Stage, total: str) -> None:
    bill = await _last_bill(stage)
    assert bill["total"] == total, bill
    assert sum(Decimal(line["amount"]) for line in bill["lines"]) == Decimal(total), bill


@sentence(r"the last bill was issued between 08:00 and 12:00")
async def issued_in_the_morning(stage: Stage) -> None:
    issued = datetime.datetime.fromisoformat((await _last_bill(stage))["issued_at"])
    assert datetime.time(8) <= issued.time() <= datetime.time(12), issued


@sentence(r"the last bill was issued on the 1st to 3rd")
async def issued_early_in_the_month(stage: Stage) -> None:
    issued = datetime.datetime.fromisoformat((await _last_bill(stage))["issued_at"])
    assert 1 <= issued.day <= 3, issued


@sentence(r"the last bill shows (\d+) minutes of (\w+), (\d+) of them covered by packages and (\d+) billed")
async def bill_lines(stage: Stage, minutes: str, sku: str, covered: str, billed: str) -> None:
    lines = [line for line in (await _last_bill(stage))["lines"] if line["sku"] == sku]
    sums = [sum(line[what] for line in lines) for what in ("minutes", "covered", "billed")]
    assert sums == [int(minutes), int(covered), int(billed)], lines
    assert sum(one["minutes"] for line in lines for one in line["packages"]) == int(covered), lines


@sentence(r"the last bill can be read as a table and printed")
async def bill_forms(stage: Stage) -> None:
    bill = (await _last_bill(stage))["id"]
    for accept, opening in (("text/csv", ""), ("text/html", "<!doctype html>")):
        status, text = await stage.api.fetch(f"{stage.path}/bills/{bill}", accept)
        assert status == 200 and text.lower().startswith(opening) and bill in text, text[:200]


@sentence(r"the ledger sums to zero")
async def ledger_sums(stage: Stage) -> None:
    sums: dict[str, Decimal] = {}
    for txn in await stage.items("ledger"):
        for entry in txn["entries"]:
            sums[entry["unit"]] = sums.get(entry["unit"], Decimal(0)) + Decimal(entry["amount"])
    assert sums and all(total == 0 for total in sums.values()), sums


@sentence(r"the bills and the ledger are still there")
async def records_remain(stage: Stage) -> None:
    assert await stage.items("ledger")
    await stage.items("bills")
    assert await stage.items("audit")
