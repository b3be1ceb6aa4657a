"""Calls one action with the vendor's international SDK. Runs in an environment of its own.

Arguments: URL, secret id, secret key, action, parameters as JSON. Prints the answer, or {"code", "message"}.
"""

import json
import sys
from urllib.parse import urlsplit

from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.trtc.v20190722 import models, trtc_client


def main(http: str, secret_id: str, secret_key: str, action: str, params: str) -> None:
    where = urlsplit(http)
    transport = HttpProfile(protocol=where.scheme, endpoint=where.netloc, reqTimeout=15)
    pair = credential.Credential(secret_id, secret_key)
    client = trtc_client.TrtcClient(pair, "ap-singapore", ClientProfile(httpProfile=transport))
    request = getattr(models, f"{action}Request")()
    request.from_json_string(params)
    try:
        print(getattr(client, action)(request).to_json_string())
    except TencentCloudSDKException as error:
        print(json.dumps({"code": error.get_code(), "message": error.get_message()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
