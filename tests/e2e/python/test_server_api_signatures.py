"""Who may call: signatures of every kind that the vendor's SDKs make, and those that must not pass."""

import random
import time

import pytest

from harness.cloud import Cloud, Refused
from harness.tokens import DEV_APP

TODAY = time.strftime("%Y-%m-%d", time.gmtime())
USAGE = {"StartTime": TODAY, "EndTime": TODAY}
# An action that may be called 20 times a second.
ROOMS = {"StartTime": int(time.time()) - 3600, "EndTime": int(time.time())}

KINDS = [
    {"method": "POST", "signature": "TC3-HMAC-SHA256"},
    {"method": "POST", "signature": "TC3-HMAC-SHA256", "unsigned_payload": True},
    {"method": "GET", "signature": "TC3-HMAC-SHA256"},
    {"method": "POST", "signature": "HmacSHA256"},
    {"method": "GET", "signature": "HmacSHA256"},
    {"method": "POST", "signature": "HmacSHA1"},
    {"method": "GET", "signature": "HmacSHA1"},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(str(part) for part in kind.values()))
async def test_every_signature_of_the_sdk_is_taken(server, kind):
    answer = await Cloud(server.http, **kind).call("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS)
    assert answer["Total"] == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(str(part) for part in kind.values()))
async def test_a_wrong_key_is_refused(server, kind):
    cloud = Cloud(server.http, secret_key="another-secret-key", **kind)
    assert await cloud.code("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS) == "AuthFailure.SignatureFailure"


async def test_an_unknown_secret_id_is_refused(server):
    cloud = Cloud(server.http, secret_id="AKIDnobody")
    assert await cloud.code("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS) == "AuthFailure.SecretIdNotFound"


async def test_a_secret_id_that_cannot_be_one_is_told(server):
    cloud = Cloud(server.http, secret_id="AKID nobody")
    assert await cloud.code("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS) == "AuthFailure.InvalidSecretId"


@pytest.mark.parametrize("signature", ["TC3-HMAC-SHA256", "HmacSHA256"])
@pytest.mark.parametrize("skew", [-400, 400])
def test_a_skewed_clock_is_refused(server, monkeypatch, signature, skew):
    real = time.time
    cloud = Cloud(server.http, signature=signature)
    monkeypatch.setattr(time, "time", lambda: real() + skew)
    with pytest.raises(Refused) as refused:
        cloud.now("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS)
    assert refused.value.code == "AuthFailure.SignatureExpire"
    monkeypatch.setattr(time, "time", lambda: real() + skew * 0.6)
    assert cloud.now("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS)


def test_a_legacy_request_passes_once(server, monkeypatch):
    cloud = Cloud(server.http, signature="HmacSHA256")
    moment = time.time()
    monkeypatch.setattr(time, "time", lambda: moment)
    monkeypatch.setattr(random, "randint", lambda *_: 4_711)
    assert cloud.now("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS)
    with pytest.raises(Refused) as refused:
        cloud.now("DescribeRoomInfo", SdkAppId=DEV_APP, **ROOMS)
    assert refused.value.code.startswith("AuthFailure."), refused.value


async def account(api, **policy) -> tuple[str, int, dict]:
    """An account with an application and a secret pair."""
    made = await api.ok("POST", "/api/v1/accounts", {"name": "Another", "currency": "USD", "time_zone": "UTC"})
    app = await api.ok("POST", f"/api/v1/accounts/{made['id']}/apps", {"name": "theirs"})
    body = {"name": "test", "policy": "full", **policy}
    if policy.get("apps") == "own":
        body["apps"] = [app["sdk_app_id"]]
    secret = await api.ok("POST", f"/api/v1/accounts/{made['id']}/secrets", body)
    return made["id"], app["sdk_app_id"], secret


async def test_an_application_of_another_account_is_out_of_reach(server, api):
    _, app, secret = await account(api)
    cloud = Cloud(server.http, secret["secret_id"], secret["secret_key"])
    assert await cloud.code("DismissRoom", SdkAppId=DEV_APP, RoomId=1) == "UnauthorizedOperation.SdkAppId"
    assert await cloud.code("DismissRoom", SdkAppId=app, RoomId=1) == "FailedOperation.RoomNotExist"


async def test_a_read_only_pair_changes_nothing(server, api):
    _, app, secret = await account(api, policy="read_only")
    cloud = Cloud(server.http, secret["secret_id"], secret["secret_key"])
    assert await cloud.call("DescribeTrtcUsage", SdkAppId=app, **USAGE)
    assert (await cloud.code("DismissRoom", SdkAppId=app, RoomId=1)) in (
        "AuthFailure.UnauthorizedOperation",
        "UnauthorizedOperation",
    )


async def test_a_pair_for_one_application_reaches_no_other(server, api):
    account_id, app, secret = await account(api, apps="own")
    other = await api.ok("POST", f"/api/v1/accounts/{account_id}/apps", {"name": "second"})
    cloud = Cloud(server.http, secret["secret_id"], secret["secret_key"])
    assert await cloud.code("DismissRoom", SdkAppId=app, RoomId=1) == "FailedOperation.RoomNotExist"
    refused = await cloud.code("DismissRoom", SdkAppId=other["sdk_app_id"], RoomId=1)
    assert refused == "UnauthorizedOperation.SdkAppId"
    # Bills are the whole account's.
    assert await cloud.code("DescribeAccountBalance", "billing") == "AuthFailure.UnauthorizedOperation"


async def test_a_revoked_pair_is_refused_at_once(server, api):
    account_id, app, secret = await account(api)
    cloud = Cloud(server.http, secret["secret_id"], secret["secret_key"])
    assert await cloud.call("DescribeTrtcUsage", SdkAppId=app, **USAGE)
    await api.ok("DELETE", f"/api/v1/accounts/{account_id}/secrets/{secret['secret_id']}")
    assert await cloud.code("DescribeTrtcUsage", SdkAppId=app, **USAGE) == "AuthFailure.SecretIdNotFound"


async def test_too_many_calls_are_told_so(server, api):
    _, app, secret = await account(api)
    cloud = Cloud(server.http, secret["secret_id"], secret["secret_key"])
    codes = set()
    for _ in range(80):
        try:
            await cloud.call("DescribeTrtcUsage", SdkAppId=app, **USAGE)
        except Refused as refused:
            codes.add(refused.code)
            break
    assert codes == {"RequestLimitExceeded"}
