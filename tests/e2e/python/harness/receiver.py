"""A receiver of callbacks and webhooks that does as it is told: takes them, answers 500, is slow, or is not there."""

import asyncio
import json
import time
from dataclasses import dataclass

from aiohttp import web


@dataclass
class Got:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    status: int

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class Receiver:
    """An HTTP server on a port of its own; it keeps the port while it is down."""

    def __init__(self):
        self.got: list[Got] = []
        self.status = 200
        self.delay_s = 0.0
        self.port = 0
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Receiver":
        await self.up()
        return self

    async def __aexit__(self, *_) -> None:
        await self.down()

    async def up(self) -> None:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._take)
        self._runner = web.AppRunner(application, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Connections are refused from now on."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def taken(self, path: str) -> list[Got]:
        """What was answered with 200 under a path."""
        return [got for got in self.got if got.path == f"/{path}" and got.status == 200]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        status = self.status
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append(Got(request.path, headers, body, time.monotonic(), status))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return web.json_response({"code": 0}, status=status)
