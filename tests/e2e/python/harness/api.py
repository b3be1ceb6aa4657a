"""The operator API, as far as the tests use it. Every path of it that they use stands here."""

import datetime
from collections import Counter
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from .tokens import DEV_APP

OPERATOR_TOKEN = "dev-operator"


class Api:
    """A client with the operator's development token (or none, or a wrong one)."""

    def __init__(self, http: str, bearer: str | None = OPERATOR_TOKEN):
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        self._http = http
        self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=15))

    async def __aenter__(self) -> "Api":
        return self

    async def __aexit__(self, *_) -> None:
        await self._session.close()

    async def call(self, method: str, path: str, body: Any = None, **params) -> tuple[int, Any]:
        """Status and decoded body (text if it is no JSON)."""
        query = f"?{urlencode(params)}" if params else ""
        # `encoded`: a slash inside a name stays percent-encoded.
        url = URL(f"{self._http}{path}{query}", encoded=True)
        async with self._session.request(method, url, json=body) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()

    async def ok(self, method: str, path: str, body: Any = None, **params) -> Any:
        status, answer = await self.call(method, path, body, **params)
        assert 200 <= status < 300, f"{method} {path}: {status} {answer}"
        return answer

    async def fetch(self, path: str, accept: str) -> tuple[int, str]:
        """Status and text of a form other than JSON."""
        async with self._session.get(URL(f"{self._http}{path}", encoded=True), headers={"Accept": accept}) as response:
            return response.status, await response.text()

    @staticmethod
    def app_path(app: int = DEV_APP) -> str:
        return f"/api/v1/apps/{app}"

    async def set_enabled(self, enabled: bool, app: int = DEV_APP) -> None:
        await self.ok("POST", f"{self.app_path(app)}/{'enable' if enabled else 'disable'}", {})

    async def rooms(self, app: int = DEV_APP) -> list[dict]:
        return (await self.ok("GET", f"{self.app_path(app)}/rooms"))["items"]

    async def participants(self, room: str, app: int = DEV_APP) -> list[dict]:
        path = f"{self.app_path(app)}/rooms/{quote(room, safe='')}/participants"
        return (await self.ok("GET", path))["items"]

    async def remove(self, room: str, identity: str, app: int = DEV_APP) -> None:
        who = f"{quote(room, safe='')}/participants/{quote(identity, safe='')}"
        await self.ok("DELETE", f"{self.app_path(app)}/rooms/{who}")

    async def dismiss(self, room: str, app: int = DEV_APP) -> None:
        await self.ok("DELETE", f"{self.app_path(app)}/rooms/{quote(room, safe='')}")

    async def stays(self, room: str, app: int = DEV_APP) -> list[dict]:
        """Stays of a room that entered today or so."""
        span = {"from": f"{_day(-1)}T00:00:00Z", "to": f"{_day(+2)}T00:00:00Z"}
        return (await self.ok("GET", f"{self.app_path(app)}/stays", room=room, **span))["items"]

    async def usage(self, app: int = DEV_APP) -> dict[str, int]:
        """Seconds by SKU, of all days around today."""
        span = {"from": _day(-1), "to": _day(+1)}
        seconds: Counter[str] = Counter()
        for row in (await self.ok("GET", f"{self.app_path(app)}/usage", **span))["items"]:
            assert row["minutes"] == -(-row["seconds"] // 60), row
            seconds[row["sku"]] += row["seconds"]
        return dict(seconds)

    async def metrics(self) -> dict[str, float]:
        """Every metric without labels."""
        text = await self.ok("GET", "/metrics")
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs if "{" not in name}


def _day(offset: int) -> str:
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=offset)).date().isoformat()


def seconds_of(stay: dict) -> dict[str, int]:
    """Seconds of a stay by SKU."""
    return {row["sku"]: row["seconds"] for row in stay["seconds"]}
