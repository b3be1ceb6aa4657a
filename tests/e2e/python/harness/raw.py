"""Signalling without a client library: what exactly the server answers."""

import base64
from urllib.parse import urlencode

import aiohttp
from livekit.protocol import models, rtc as signal

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

PATHS = {"v0": "/rtc", "v1": "/rtc/v1"}


def query(protocol: str, **extra: str) -> str:
    """What a client asks with, its token left out."""
    if protocol == "v0":
        fields = {"auto_subscribe": "1", "sdk": "python", "version": "1.2.1", "protocol": "16"}
    else:
        join = signal.JoinRequest(
            client_info=models.ClientInfo(sdk=models.ClientInfo.PYTHON, version="1.2.1", protocol=16),
            connection_settings=signal.ConnectionSettings(auto_subscribe=True),
        )
        wrapped = signal.WrappedJoinRequest(
            compression=signal.WrappedJoinRequest.NONE, join_request=join.SerializeToString()
        )
        fields = {"join_request": base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()}
    return urlencode({**fields, **extra})


async def upgrade_status(http: str, protocol: str, jwt: str, **extra: str) -> tuple[int, str, str]:
    """Asks for the WebSocket and returns status, content type and body; hangs up if it is let in."""
    return await _get(f"{http}{PATHS[protocol]}?{query(protocol, **extra)}", {**UPGRADE, **_bearer(jwt)})


async def validate_status(http: str, protocol: str, jwt: str, *, accept: str = "", **extra) -> tuple[int, str, str]:
    """Asks the validate endpoint."""
    headers = {**_bearer(jwt), **({"Accept": accept} if accept else {})}
    return await _get(f"{http}{PATHS[protocol]}/validate?{query(protocol, **extra)}", headers)


async def connect(http: str, protocol: str, jwt: str) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    """A WebSocket that was let in, and its session; close both."""
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
    socket = await session.ws_connect(f"{http}{PATHS[protocol]}?{query(protocol)}", headers=_bearer(jwt))
    return session, socket


def _bearer(jwt: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt}"} if jwt else {}


async def _get(url: str, headers: dict[str, str]) -> tuple[int, str, str]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        async with session.get(url, headers=headers) as response:
            if response.status == 101:
                response.close()
                return 101, "", ""
            return response.status, response.content_type, await response.text()
