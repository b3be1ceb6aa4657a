// At phone width nothing hangs over the edge: the lobby, a call, the chat.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { newPerson, startBrowser } from '../harness/browser.mjs';
import { startServer } from '../../harness/server.mjs';

let server;
let browser;

before(async () => {
  server = await startServer('phone');
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0);
});

for (const width of [390, 320]) {
  test(`a page ${width} pixels wide`, async () => {
    const options = { viewport: { width, height: 760 }, isMobile: true, hasTouch: true };
    const anna = await newPerson(browser, 'Anna', options);
    const ben = await newPerson(browser, 'Benjamin with quite a long name');
    const room = `phone-${width}`;
    await anna.page.goto(`${server.http}/meet/r/${room}`);
    await anna.get('preview').waitFor();
    await anna.screenshot(`phone-lobby-${width}`);
    assert.equal(await anna.overhang(), 0, 'lobby');
    await ben.enter(server.http, room);
    await anna.enter(server.http, room);
    await anna.flows(await ben.identity(), 'camera');
    await anna.screenshot(`phone-call-${width}`);
    assert.equal(await anna.overhang(), 0, 'call');
    await anna.get('toggle-chat').click();
    await anna.get('chat-input').waitFor();
    await anna.screenshot(`phone-chat-${width}`);
    assert.equal(await anna.overhang(), 0, 'chat');
    for (const testId of ['toggle-mic', 'toggle-camera', 'leave']) {
      const box = await anna.get(testId).boundingBox();
      assert.ok(!box || (box.x >= 0 && box.x + box.width <= width), `${testId} is on the screen`);
    }
    await anna.close();
    await ben.close();
  });
}
