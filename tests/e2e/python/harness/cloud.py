"""The vendor's own server SDKs, unmodified: only endpoint and scheme are set.

The edition of requirements.txt is called in this process, the international one in an environment of its own
(`PYTHON_APART`), because both have the same module names.
"""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tencentcloud.billing.v20180709 import billing_client
from tencentcloud.billing.v20180709 import models as billing_models
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models as trtc_models
from tencentcloud.trtc.v20190722 import trtc_client

DEV_SECRET_ID = "AKIDdev"
DEV_SECRET_KEY = "dev-secret-key"
APART = Path(os.environ.get("PYTHON_APART", Path(__file__).resolve().parents[4] / "target/venv-apart/bin/python"))

SERVICES = {
    "trtc": (trtc_client.TrtcClient, trtc_models),
    "billing": (billing_client.BillingClient, billing_models),
}


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Cloud:
    """Clients of one secret pair."""

    def __init__(
        self,
        http: str,
        secret_id: str = DEV_SECRET_ID,
        secret_key: str = DEV_SECRET_KEY,
        *,
        method: str = "POST",
        signature: str = "TC3-HMAC-SHA256",
        unsigned_payload: bool = False,
        language: str = "en-US",
        region: str = "ap-singapore",
    ):
        self.http = http
        where = urlsplit(http)
        self._credential = credential.Credential(secret_id, secret_key)
        transport = HttpProfile(protocol=where.scheme, endpoint=where.netloc, reqMethod=method, reqTimeout=15)
        self._profile = ClientProfile(signMethod=signature, httpProfile=transport, language=language)
        self._profile.unsignedPayload = unsigned_payload
        self._region = region

    def now(self, action: str, /, service: str = "trtc", **params: Any) -> dict:
        """Calls an action and waits for it; the answer as the SDK's models read it."""
        client, models = SERVICES[service]
        request = getattr(models, f"{action}Request")()
        request.from_json_string(json.dumps(params))
        try:
            answer = getattr(client(self._credential, self._region, self._profile), action)(request)
        except TencentCloudSDKException as error:
            assert error.get_request_id(), error
            raise Refused(error.get_code(), error.get_message()) from error
        assert answer.RequestId
        return json.loads(answer.to_json_string())

    async def call(self, action: str, /, service: str = "trtc", **params: Any) -> dict:
        """The same beside everything else that goes on."""
        return await asyncio.to_thread(self.now, action, service, **params)

    async def raw(self, action: str, params: dict, service: str = "trtc") -> dict:
        """Calls an action that the models know nothing of, or with parameters that they would not send."""
        client = SERVICES[service][0](self._credential, self._region, self._profile)
        try:
            answer = await asyncio.to_thread(client.call_json, action, params)
        except TencentCloudSDKException as error:
            raise Refused(error.get_code(), error.get_message()) from error
        return answer["Response"]

    async def code(self, action: str, /, service: str = "trtc", **params: Any) -> str:
        """Code of the error that the call must end with."""
        return (await self.refusal(action, service, **params)).code

    async def refusal(self, action: str, /, service: str = "trtc", **params: Any) -> Refused:
        try:
            answer = await self.raw(action, params, service)
        except Refused as refused:
            return refused
        raise AssertionError(f"{action} {params} was answered: {answer}")


async def international(http: str, action: str, **params: Any) -> dict:
    """Calls an action of service trtc with the international edition and the development pair."""
    script = Path(__file__).with_name("international.py")
    arguments = [str(APART), str(script), http, DEV_SECRET_ID, DEV_SECRET_KEY, action, json.dumps(params)]
    ended = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    if "code" in answer:
        raise Refused(answer["code"], answer["message"])
    return answer


