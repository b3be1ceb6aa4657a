"""A browser at the console, as far as the API sees it: it keeps its cookie and repeats the session's word."""

import base64
import hashlib
import hmac
import time
from typing import Any

import aiohttp

SESSION = "/api/v1/console-session"
USERS = "/api/v1/console-users"
PASSWORD = "correct horse battery"
COOKIE = "fermata_session"
STEP_S = 30


def code(secret: str, step: int) -> str:
    """The one-time code of a step (RFC 6238), from a secret in base32."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    tag = hmac.new(key, step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = tag[-1] & 0xF
    return f"{(int.from_bytes(tag[at : at + 4], 'big') & 0x7FFF_FFFF) % 1_000_000:06}"


def step_now() -> int:
    return int(time.time()) // STEP_S


class Browser:
    """Keeps what `Set-Cookie` says as browsers do, and the word of the session it is in."""

    def __init__(self, http: str):
        self._http = http
        self.cookie: str | None = None
        self.word: str | None = None
        # What the last answer said beside its body.
        self.headers: Any = None
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=15)
        )

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *_) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, headers: dict | None = None) -> tuple[int, Any]:
        """Status and body; with the session's cookie and word unless `headers` say otherwise."""
        sent = {"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {}
        if self.word:
            sent["X-CSRF-Token"] = self.word
        sent |= headers or {}
        sent = {name: value for name, value in sent.items() if value is not None}
        async with self._session.request(method, self._http + path, json=body, headers=sent) as answer:
            self.headers = answer.headers
            for morsel in answer.cookies.values():
                assert morsel.key == COOKIE, morsel
                self.cookie = None if morsel["max-age"] == "0" else morsel.value
            is_json = answer.content_type == "application/json"
            return answer.status, (await answer.json() if is_json else await answer.text())

    async def sign_in(self, **body: Any) -> tuple[int, Any]:
        """Signs in; a new word is taken over."""
        status, answer = await self.call("POST", SESSION, body)
        if status == 201:
            self.word = answer["csrf_token"]
        return status, answer

    async def refused(self, **body: Any) -> str:
        """The code of a refusal to sign in."""
        status, answer = await self.sign_in(**body)
        assert status in (401, 429), (status, answer)
        return answer["error"]["code"]
