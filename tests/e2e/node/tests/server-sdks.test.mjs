// The vendor's and LiveKit's server SDKs for Node, unmodified, with the real binary.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import tencentcloud from 'tencentcloud-sdk-nodejs';
import { APP, startServer } from '../../harness/server.mjs';

let server;
let trtc;
let billing;
let rooms;

before(async () => {
  server = await startServer('node');
  const { host } = new URL(server.http);
  const settings = {
    credential: { secretId: 'AKIDdev', secretKey: 'dev-secret-key' },
    region: 'ap-singapore',
    profile: { httpProfile: { endpoint: host, protocol: 'http://' } },
  };
  trtc = new tencentcloud.trtc.v20190722.Client(settings);
  billing = new tencentcloud.billing.v20180709.Client(settings);
  rooms = new RoomServiceClient(server.http, 'devkey', 'secret');
});

after(async () => {
  assert.equal(await server.stop(), 0);
});

async function code(promise) {
  try {
    await promise;
  } catch (error) {
    return error.code;
  }
  return assert.fail('it was answered');
}

test('a room is made with one SDK and dismissed with the other', async () => {
  const room = await rooms.createRoom({ name: 'int/42', emptyTimeout: 60, metadata: 'hello' });
  assert.match(room.sid, /^RM_/);
  assert.equal((await rooms.listRooms(['int/42'])).length, 1);
  const answer = await trtc.DismissRoom({ SdkAppId: APP, RoomId: 42 });
  assert.ok(answer.RequestId);
  assert.equal((await rooms.listRooms(['int/42'])).length, 0);
  assert.equal(await code(trtc.DismissRoom({ SdkAppId: APP, RoomId: 42 })), 'FailedOperation.RoomNotExist');
});

test('errors carry codes', async () => {
  assert.equal(await code(trtc.DismissRoom({ SdkAppId: APP })), 'MissingParameter.RoomId');
  assert.equal(await code(trtc.StartWebRecord({ SdkAppId: APP, RecordUrl: 'https://example.com' })), 'UnsupportedOperation');
  await assert.rejects(rooms.deleteRoom('nothing'), (error) => error instanceof TwirpError && error.code === 'not_found');
});

test('usage and balance are read', async () => {
  const today = new Date().toISOString().slice(0, 10);
  const usage = await trtc.DescribeTrtcUsage({ SdkAppId: APP, StartTime: today, EndTime: today });
  assert.equal(usage.UsageKey[0], 'audio');
  const balance = await billing.DescribeAccountBalance({});
  assert.equal(typeof balance.Balance, 'number');
});
