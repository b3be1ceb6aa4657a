// What receivers ask for reaches publishers: rates, pauses, layers nobody wants, and codecs that somebody needs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peers, without } from '../harness/peer.mjs';

const join = peers('demand');

const flows = () => true;
const svc = { width: 640, height: 360, fps: 15, videoCodec: 'av1', scalabilityMode: 'L3T3_KEY', backupCodec: false };

test('fewer pictures a second are fewer temporal layers', async () => {
  const [anna, ben] = [await join('anna', 'fps'), await join('ben', 'fps')];
  await anna.call('publish', { ...svc, width: 320, height: 180, scalabilityMode: 'L1T3' });
  await ben.receives('pictures', flows);
  await ben.page.waitForTimeout(2500);
  const whole = await ben.call('rate');
  await ben.call('fps', 5);
  await ben.page.waitForTimeout(2500);
  const few = await ben.call('rate');
  await ben.call('fps', 15);
  await ben.page.waitForTimeout(2500);
  const again = await ben.call('rate');
  assert.ok(few < whole * 0.6 && again > few * 1.5, `${whole}, ${few}, ${again}`);
});

test('a track that is switched off or given up comes back', async () => {
  const [anna, ben] = [await join('anna', 'pause'), await join('ben', 'pause')];
  await anna.call('publish', svc);
  await ben.receives('pictures', flows);
  await ben.call('enable', false);
  await ben.page.waitForTimeout(1000);
  assert.equal(await ben.call('rate', 1500), 0, 'nothing comes while it is off');
  await ben.call('enable', true);
  await ben.receives('pictures after it was off', flows);
  await ben.call('subscribe', false);
  await ben.page.waitForTimeout(1000);
  assert.equal(await ben.call('inbound'), undefined);
  await ben.call('subscribe', true);
  await ben.receives('pictures after it was given up', flows);
});

/** Which encodings still make pictures, by rid. */
async function encodes(peer) {
  const before = await peer.call('sent');
  await peer.page.waitForTimeout(2000);
  const after = await peer.call('sent');
  const made = (row) => {
    const earlier = before.find((other) => other.rid === row.rid && other.codec === row.codec);
    return row.framesEncoded - (earlier?.framesEncoded ?? 0);
  };
  return after.filter((row) => made(row) > 3).map((row) => row.rid).sort();
}

const simulcast = { width: 960, height: 540, fps: 10, videoCodec: 'vp8', simulcast: true, backupCodec: false };

for (const dynacast of [true, false]) {
  test(`layers that nobody wants ${dynacast ? 'are not encoded with' : 'go on without'} dynacast`, async () => {
    const room = `dynacast-${dynacast}`;
    const anna = await join('anna', room, { options: { dynacast } });
    const ben = await join('ben', room);
    await anna.call('publish', simulcast);
    await ben.receives('the highest layer', (inbound) => inbound.frameHeight === 540, 40);
    await ben.call('quality', 'LOW');
    await ben.receives('the lowest layer', (inbound) => inbound.frameHeight === 180);
    await ben.page.waitForTimeout(7000);
    assert.deepEqual(await encodes(anna), dynacast ? ['q'] : ['f', 'h', 'q']);
    await ben.call('quality', 'HIGH');
    await ben.receives('the highest layer again', (inbound) => inbound.frameHeight === 540, 40);
  });
}

// LiveKit's client switches spatial layers of one stream off as a whole or not at all.
test('one stream of layers that nobody wants is not encoded, and comes back', async () => {
  const anna = await join('anna', 'dynacast-av1', { options: { dynacast: true } });
  const ben = await join('ben', 'dynacast-av1');
  await anna.call('publish', svc);
  await ben.receives('pictures', flows);
  await ben.call('enable', false);
  await ben.page.waitForTimeout(7500);
  assert.deepEqual(await encodes(anna), []);
  await ben.call('enable', true);
  await ben.receives('pictures again', flows);
});

for (const codec of ['vp9', 'av1']) {
  test(`who cannot decode ${codec} gets the backup`, async () => {
    const room = `backup-${codec}`;
    const anna = await join('anna', room, { options: { dynacast: true } });
    const ben = await join('ben', room);
    await anna.call('publish', { ...svc, videoCodec: codec, backupCodec: { codec: 'vp8' } });
    await ben.receives(codec, (inbound) => inbound.codec === `video/${codec.toUpperCase()}`);
    const streams = async () => [...new Set((await anna.call('sent')).map((row) => row.codec))].sort();
    assert.deepEqual(await streams(), [`video/${codec.toUpperCase()}`], 'nobody needs the backup');
    const cleo = await join('cleo', room, { before: without(['AV1', 'VP9']) });
    await cleo.receives('the backup', (inbound) => inbound.codec === 'video/VP8', 30);
    await ben.receives(codec, (inbound) => inbound.codec === `video/${codec.toUpperCase()}`);
  });
}
