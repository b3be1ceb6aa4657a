"""Signing in to the console: users, sessions, their cookies, one-time codes, and who is kept out."""

import itertools
from http.cookies import SimpleCookie

import pytest

from harness.api import Api
from harness.console import COOKIE, PASSWORD, SESSION, USERS, Browser, code, step_now
from harness.server import Server

ACCOUNTS = "/api/v1/accounts"
LIFETIME_S = 12 * 3600
NAME_FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 50
OTHER_PASSWORD = "another long password"

_names = itertools.count(1)


@pytest.fixture
async def browser(server):
    async with Browser(server.http) as browser:
        yield browser


async def make_user(api: Api, **more) -> dict:
    """A user whom no other test knows."""
    return await api.ok("POST", USERS, {"name": f"user-{next(_names)}", "password": PASSWORD} | more)


async def signed_in(http: str, name: str, **more) -> Browser:
    browser = Browser(http)
    status, answer = await browser.sign_in(name=name, password=PASSWORD, **more)
    assert status == 201, answer
    return browser


async def test_signing_in_and_out(api, browser):
    user = await make_user(api)
    assert user["id"].startswith("CU_") and "password" not in user
    status, answer = await browser.sign_in(name=user["name"].upper(), password=PASSWORD)
    assert status == 201, answer
    expected = {"id": user["id"], "name": user["name"], "role": "operator", "read_only": False, "totp": False}
    assert answer["user"] == expected
    assert browser.headers["Cache-Control"] == "no-store"

    # Pages cannot read the token, other sites' requests do not carry it, and no answer shows it.
    (morsel,) = SimpleCookie(browser.headers["Set-Cookie"]).values()
    assert (morsel.key, morsel["path"], morsel["samesite"]) == (COOKIE, "/", "Strict")
    assert morsel["httponly"] is True and morsel["max-age"] == str(LIFETIME_S)
    assert not morsel["secure"], "this came over http"
    assert browser.cookie not in str(answer)

    # A page that is loaded anew finds its word.
    status, again = await browser.call("GET", SESSION, headers={"X-CSRF-Token": None})
    assert (status, again) == (200, answer)
    assert (await browser.call("GET", ACCOUNTS))[0] == 200

    old = browser.cookie
    assert (await browser.call("DELETE", SESSION))[0] == 204
    assert browser.cookie is None, browser.headers
    for cookie in (None, f"{COOKIE}={old}", f"{COOKIE}=fms_{'x' * 43}", f"{COOKIE}=x"):
        status, answer = await browser.call("GET", SESSION, headers={"Cookie": cookie})
        assert (status, answer["error"]["code"]) == (401, "unauthorized"), cookie


async def test_wrong_names_and_passwords_are_answered_alike(api, browser):
    user = await make_user(api)
    disabled = await make_user(api)
    await api.ok("PATCH", f"{USERS}/{disabled['id']}", {"disabled": True})
    answers = set()
    for name, password in [
        (user["name"], OTHER_PASSWORD),
        (user["name"], ""),
        (f"nobody-{next(_names)}", PASSWORD),
        (disabled["name"], PASSWORD),
        (disabled["name"], OTHER_PASSWORD),
    ]:
        status, answer = await browser.sign_in(name=name, password=password)
        answers.add((status, str(answer), browser.headers.get("Set-Cookie")))
    assert len(answers) == 1, answers
    ((status, answer, cookie),) = answers
    assert status == 401 and "sign_in_failed" in answer and cookie is None
    for body, word in [
        ({}, "name"),
        ({"name": "x"}, "password"),
        ({"name": "x" * 129, "password": "x"}, "name"),
        ({"name": "x", "password": "x" * 257}, "password"),
        ({"name": "x", "password": "x", "admin": True}, "admin"),
        ({"dev": True, "name": "x"}, "dev"),
    ]:
        status, answer = await browser.sign_in(**body)
        assert (status, answer["error"]["code"]) == (400, "invalid"), answer
        assert word in answer["error"]["message"], answer


async def test_changes_need_the_word_of_the_session(api, server):
    user, other = await make_user(api), await make_user(api)
    async with await signed_in(server.http, user["name"]) as browser, await signed_in(
        server.http, other["name"]
    ) as stranger:
        body = {"name": "Forged"}
        for word in (None, "", "x", browser.word[:-1], stranger.word, browser.cookie):
            status, answer = await browser.call("POST", ACCOUNTS, body, {"X-CSRF-Token": word})
            assert (status, answer["error"]["code"]) == (403, "csrf"), word
            for method, path in [("DELETE", SESSION), ("POST", f"{SESSION}/totp"), ("POST", "/api/v1/tokens")]:
                status, answer = await browser.call(method, path, {}, {"X-CSRF-Token": word})
                assert (status, answer["error"]["code"]) == (403, "csrf"), (method, path)
        assert "Forged" not in str(await api.ok("GET", ACCOUNTS))
        assert (await browser.call("GET", SESSION))[0] == 200, "nobody signed it out"
        assert (await browser.call("POST", ACCOUNTS, body))[0] == 201


async def test_a_cookie_that_came_along_is_not_taken_over(api, browser):
    """Session fixation: whoever plants a cookie knows nothing of the session that begins with it."""
    user = await make_user(api)
    planted = "fms_" + "A" * 43
    browser.cookie = planted
    status, _ = await browser.sign_in(name=user["name"], password=PASSWORD)
    assert status == 201 and browser.cookie != planted
    first = browser.cookie
    status, _ = await browser.sign_in(name=user["name"], password=PASSWORD)
    assert status == 201 and browser.cookie not in (planted, first)
    status, _ = await browser.call("GET", SESSION, headers={"Cookie": f"{COOKIE}={planted}"})
    assert status == 401


async def test_too_many_attempts():
    """On a server of its own, since attempts from this address are counted, too."""
    server = Server("console-throttle")
    try:
        async with Api(server.http) as api, Browser(server.http) as browser:
            user, other = await make_user(api), await make_user(api)
            for _ in range(NAME_FAILURES_MAX):
                assert await browser.refused(name=user["name"], password=OTHER_PASSWORD) == "sign_in_failed"
                # Success is no failure, and gives nothing back to another name.
                assert (await browser.sign_in(name=other["name"], password=PASSWORD))[0] == 201
            for name in (user["name"], user["name"].upper()):
                status, answer = await browser.sign_in(name=name, password=PASSWORD)
                assert (status, answer["error"]["code"]) == (429, "too_many_attempts"), "whatever the password"
                assert 1 <= int(browser.headers["Retry-After"]) <= 90
            assert (await browser.sign_in(name=other["name"], password=PASSWORD))[0] == 201

            # Ever new names from one address end, too. One attempt comes back every 18 s meanwhile.
            failed = NAME_FAILURES_MAX
            while await browser.refused(name=f"nobody-{failed}", password=PASSWORD) == "sign_in_failed":
                failed += 1
                assert failed <= ADDRESS_FAILURES_MAX + 10
            assert failed >= ADDRESS_FAILURES_MAX
            assert 1 <= int(browser.headers["Retry-After"]) <= 18
            metrics = await api.metrics()
            assert metrics["fermata_console_sign_ins_failed_total"] == failed
            assert metrics["fermata_console_sign_ins_throttled_total"] == 3
            # Tokens and sessions go on.
            assert (await browser.call("GET", SESSION))[0] == 200
    finally:
        assert server.stop() == 0, server.tail()


async def test_a_customer_sees_its_own_account_alone(api, server):
    own = await api.ok("POST", ACCOUNTS, {"name": "Own"})
    other = await api.ok("POST", ACCOUNTS, {"name": "Other"})
    user = await make_user(api, role="customer", account=own["id"])
    async with await signed_in(server.http, user["name"]) as browser:
        status, answer = await browser.call("GET", SESSION)
        assert (answer["user"]["role"], answer["user"]["account"]) == ("customer", own["id"])
        status, listed = await browser.call("GET", ACCOUNTS)
        assert status == 200 and [row["id"] for row in listed["items"]] == [own["id"]]
        for method, path, expected in [
            ("GET", f"{ACCOUNTS}/{own['id']}", 200),
            ("GET", f"{ACCOUNTS}/{other['id']}", 404),
            ("POST", f"{ACCOUNTS}/{other['id']}/apps", 404),
            ("GET", USERS, 403),
            ("POST", USERS, 403),
            ("GET", "/api/v1/tokens", 403),
        ]:
            status, answer = await browser.call(method, path, {"name": "App"} if method == "POST" else None)
            assert status == expected, (method, path, answer)


async def test_who_is_disabled_or_removed_is_out_at_once(api, server):
    user = await make_user(api)
    path = f"{USERS}/{user['id']}"
    async with await signed_in(server.http, user["name"]) as browser:
        changed = await api.ok("PATCH", path, {"disabled": True})
        assert changed["disabled_at"]
        assert (await browser.call("GET", SESSION))[0] == 401
        assert await browser.refused(name=user["name"], password=PASSWORD) == "sign_in_failed"
        assert "disabled_at" not in await api.ok("PATCH", path, {"disabled": False})
        assert (await browser.call("GET", SESSION))[0] == 401, "the old session is over"
        assert (await browser.sign_in(name=user["name"], password=PASSWORD))[0] == 201
        await api.ok("PATCH", path, {"read_only": True})
        status, answer = await browser.call("POST", ACCOUNTS, {"name": "x"})
        assert (status, answer["error"]["code"]) == (403, "forbidden"), "a role in force is that of now"
        await api.ok("DELETE", path)
        assert (await browser.call("GET", SESSION))[0] == 401


async def test_a_new_password_ends_other_sessions(api, server):
    user = await make_user(api)
    own = f"{SESSION}/password"
    async with await signed_in(server.http, user["name"]) as one, await signed_in(server.http, user["name"]) as two:
        for body, word in [
            ({"old": OTHER_PASSWORD, "new": OTHER_PASSWORD}, "old"),
            ({"old": PASSWORD, "new": "elevenchars"}, "new"),
        ]:
            status, answer = await one.call("POST", own, body)
            assert (status, answer["error"]["code"]) == (400, "invalid") and word in answer["error"]["message"]
        assert (await two.call("GET", SESSION))[0] == 200
        assert (await one.call("POST", own, {"old": PASSWORD, "new": OTHER_PASSWORD}))[0] == 204
        assert (await one.call("GET", SESSION))[0] == 200, "the one that changed it stays"
        assert (await two.call("GET", SESSION))[0] == 401
        assert await two.refused(name=user["name"], password=PASSWORD) == "sign_in_failed"
        assert (await two.sign_in(name=user["name"], password=OTHER_PASSWORD))[0] == 201
        # The operator's change keeps none.
        await api.ok("PATCH", f"{USERS}/{user['id']}", {"password": PASSWORD})
        for browser in (one, two):
            assert (await browser.call("GET", SESSION))[0] == 401


async def test_sessions_and_users_survive_a_restart(tmp_path):
    server = Server("console-restart-1", tmp_path)
    async with Api(server.http) as api:
        user = await make_user(api)
        browser = await signed_in(server.http, user["name"])
        ended = await signed_in(server.http, user["name"])
        assert (await ended.call("DELETE", SESSION, headers={"X-CSRF-Token": ended.word}))[0] == 204
        status, before = await browser.call("GET", SESSION)
        assert status == 200
        await browser.__aexit__()
        await ended.__aexit__()
    assert server.stop() == 0, server.tail()
    for name in (PASSWORD, browser.cookie, browser.word):
        assert server.logged(name) == 0, "no secret is logged"
        assert not any(name.encode() in path.read_bytes() for path in tmp_path.glob("*.db*")), "or stored"
    server = Server("console-restart-2", tmp_path)
    try:
        async with Browser(server.http) as again:
            again.cookie, again.word = browser.cookie, browser.word
            assert await again.call("GET", SESSION) == (200, before)
            assert (await again.call("POST", ACCOUNTS, {"name": "After"}))[0] == 201
            assert (await again.sign_in(name=user["name"], password=PASSWORD))[0] == 201
    finally:
        assert server.stop() == 0, server.tail()


async def test_one_time_codes_from_their_begin_to_their_end(api, server):
    user = await make_user(api)
    own = f"{SESSION}/totp"
    name = user["name"]
    async with await signed_in(server.http, name) as browser, Browser(server.http) as other:
        status, answer = await browser.call("PUT", own, {"code": "000000"})
        assert (status, answer["error"]["code"]) == (409, "conflict"), "nothing was begun"
        status, first = await browser.call("POST", own)
        assert status == 201, first
        status, begun = await browser.call("POST", own)
        assert status == 201 and begun["secret"] != first["secret"], "beginning again makes another secret"
        secret = begun["secret"]
        assert begun["uri"].startswith(f"otpauth://totp/Fermata:{name}?secret={secret}&issuer=Fermata")

        # Until a first code proves that the app has the secret, nobody is asked for one.
        assert (await other.sign_in(name=name, password=PASSWORD))[0] == 201
        step = step_now()
        wrong = next(n for n in ("000000", "111111") if n not in {code(secret, step + d) for d in range(-1, 3)})
        for text in (wrong, code(first["secret"], step)):
            status, answer = await browser.call("PUT", own, {"code": text})
            assert (status, answer["error"]["code"]) == (400, "invalid"), text
        # This step's; the next one's stays for below.
        assert (await browser.call("PUT", own, {"code": code(secret, step)}))[0] == 204
        status, answer = await browser.call("GET", SESSION)
        assert answer["user"]["totp"] is True
        status, answer = await browser.call("POST", own)
        assert (status, answer["error"]["code"]) == (409, "conflict"), "it is in use"

        assert await other.refused(name=name, password=PASSWORD) == "code_needed"
        assert await other.refused(name=name, password=OTHER_PASSWORD, code=code(secret, step + 1)) == "sign_in_failed"
        for text in (wrong, code(secret, step)):
            assert await other.refused(name=name, password=PASSWORD, code=text) == "sign_in_failed"
        # One step ahead of the clock is within what clocks may differ.
        good = code(secret, step + 1)
        assert (await other.sign_in(name=name, password=PASSWORD, code=good))[0] == 201
        assert await other.refused(name=name, password=PASSWORD, code=good) == "sign_in_failed", "good once"

        status, answer = await browser.call("DELETE", own, {"password": OTHER_PASSWORD})
        assert (status, answer["error"]["code"]) == (400, "invalid")
        assert (await browser.call("DELETE", own, {"password": PASSWORD}))[0] == 204
        assert (await other.sign_in(name=name, password=PASSWORD))[0] == 201

        # Who lost the app is helped by an operator.
        status, begun = await browser.call("POST", own)
        assert (await browser.call("PUT", own, {"code": code(begun["secret"], step_now())}))[0] == 204
        assert await other.refused(name=name, password=PASSWORD) == "code_needed"
        assert (await api.ok("PATCH", f"{USERS}/{user['id']}", {"remove_totp": True}))["totp"] is False
        assert (await other.sign_in(name=name, password=PASSWORD))[0] == 201


async def test_development_mode_needs_no_password(api, browser):
    status, answer = await browser.sign_in(dev=True)
    assert status == 201, answer
    assert (answer["user"]["id"], answer["user"]["role"]) == ("CU_development", "operator")
    assert (await browser.call("POST", ACCOUNTS, {"name": "Made by a page"}))[0] == 201
    assert (await browser.sign_in(dev=True))[0] == 201, "it is made once"
    assert await browser.refused(name="development", password=PASSWORD) == "sign_in_failed"
    # Pages of other sites are kept away by the guard of development mode.
    async with Browser(browser._http) as elsewhere:
        status, _ = await elsewhere.call("POST", SESSION, {"dev": True}, {"Origin": "https://example.org"})
        assert status == 403 and elsewhere.cookie is None
