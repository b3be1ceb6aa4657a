// Video layers between two browsers: what is asked for is what arrives, in each codec.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peers } from '../harness/peer.mjs';

const join = peers('layers');

/** Encoders round to even numbers. */
const high = (height) => (inbound) => Math.abs(inbound.frameHeight - height) <= 1;

/** What is published, and the heights of its layers. Browsers make three spatial layers of no smaller pictures. */
const rows = [
  { codec: 'vp8', width: 960, height: 540, heights: [180, 360, 540] },
  { codec: 'h264', width: 960, height: 540, heights: [180, 360, 540] },
  { codec: 'vp9', width: 960, height: 540, heights: [135, 270, 540], scalabilityMode: 'L3T3_KEY' },
  { codec: 'av1', width: 960, height: 540, heights: [135, 270, 540], scalabilityMode: 'L3T3_KEY' },
];

for (const { codec, width, height, heights, scalabilityMode } of rows) {
  test(`${codec}: each quality has its size`, async () => {
    const [anna, ben] = [await join('anna', `layers-${codec}`), await join('ben', `layers-${codec}`)];
    const options = { width, height, fps: 10, bitrate: 1_500_000, videoCodec: codec, simulcast: true, backupCodec: false };
    await anna.call('publish', { ...options, ...(scalabilityMode ? { scalabilityMode } : {}) });
    await ben.receives('the highest layer', high(heights[2]), 40);
    for (const [quality, place] of [['LOW', 0], ['HIGH', 2], ['MEDIUM', 1], ['LOW', 0], ['MEDIUM', 1]]) {
      await ben.call('quality', quality);
      const inbound = await ben.receives(`${quality} of ${codec}`, high(heights[place]));
      assert.equal(inbound.codec, `video/${codec.toUpperCase()}`);
    }
  });
}
