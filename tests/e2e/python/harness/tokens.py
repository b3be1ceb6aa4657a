"""Tokens: LiveKit's (signed here, with any key) and the vendor's UserSig."""

import base64
import datetime
import hashlib
import hmac
import json
import time
import zlib

from livekit import api

DEV_KEY = "devkey"
DEV_SECRET = "secret"
DEV_APP = 1400000001
DEV_USERSIG_KEY = "0123456789abcdef" * 4


def token(
    identity: str,
    room: str,
    *,
    key: str = DEV_KEY,
    secret: str = DEV_SECRET,
    ttl_s: int = 3600,
    name: str = "",
    metadata: str = "",
    attributes: dict[str, str] | None = None,
    room_config: api.RoomConfiguration | None = None,
    **grants,
) -> str:
    """A token to join `room`; `grants` are fields of VideoGrants. A negative `ttl_s` makes it expired."""
    built = (
        api.AccessToken(key, secret)
        .with_identity(identity)
        .with_name(name)
        .with_metadata(metadata)
        .with_ttl(datetime.timedelta(seconds=ttl_s))
        .with_grants(api.VideoGrants(**{"room_join": True, "room": room, **grants}))
    )
    if attributes:
        built = built.with_attributes(attributes)
    if room_config is not None:
        built = built.with_room_config(room_config)
    return built.to_jwt()


def user_sig(key: str, user: str, app: int = DEV_APP, *, at: int | None = None, expire_s: int = 3600) -> str:
    """A UserSig (TLS signature version 2) without a private map."""
    at = int(time.time()) if at is None else at
    content = f"TLS.identifier:{user}\nTLS.sdkappid:{app}\nTLS.time:{at}\nTLS.expire:{expire_s}\n"
    digest = hmac.new(key.encode(), content.encode(), hashlib.sha256).digest()
    document = {
        "TLS.ver": "2.0",
        "TLS.identifier": user,
        "TLS.sdkappid": app,
        "TLS.expire": expire_s,
        "TLS.time": at,
        "TLS.sig": base64.b64encode(digest).decode(),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(document).encode())).decode()
    return packed.translate(str.maketrans("+/=", "*-_"))
