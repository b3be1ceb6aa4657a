// Two people on the built page: they see and hear each other, share, write, reload and leave.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { newPerson, startBrowser } from '../harness/browser.mjs';
import { APP, startServer } from '../../harness/server.mjs';

let server;
let browser;
let people = [];

before(async () => {
  server = await startServer('call');
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0);
});

afterEach(async () => {
  const errors = people.flatMap((person) => person.errors);
  for (const person of people) await person.close();
  people = [];
  assert.deepEqual(errors, []);
});

/** Two people in a room of that name, and their identities. */
async function twoIn(room, query = '') {
  const [anna, ben] = await Promise.all([newPerson(browser, 'Anna'), newPerson(browser, 'Ben')]);
  people.push(anna, ben);
  await anna.enter(server.http, room, query);
  await ben.enter(server.http, room, query);
  return { anna, ben, annas: await anna.identity(), bens: await ben.identity() };
}

for (const connections of ['single', 'dual']) {
  test(`two pages see and hear each other, ${connections} connection`, async () => {
    const { anna, ben, annas, bens } = await twoIn(`see-${connections}`, `?pc=${connections}`);
    await Promise.all([
      anna.flows(bens, 'camera'),
      anna.flows(bens, 'microphone'),
      ben.flows(annas, 'camera'),
      ben.flows(annas, 'microphone'),
    ]);
    await anna.tile(bens).and(anna.get('tile', '[data-video="true"][data-name="Ben"]')).waitFor();
    await ben.tile(annas).and(ben.get('tile', '[data-video="true"][data-name="Anna"]')).waitFor();
    await anna.screenshot(`two-${connections}`);
  });
}

test('who joins before camera and microphone have started is seen and heard', async () => {
  const [anna, ben] = await Promise.all([newPerson(browser, 'Anna'), newPerson(browser, 'Ben')]);
  people.push(anna, ben);
  // Devices start when the test says so, as if the browser were still asking for permission.
  await anna.page.addInitScript(() => {
    // Blank pages have no devices.
    const devices = globalThis.MediaDevices?.prototype;
    if (!devices) return;
    const open = devices.getUserMedia;
    const permitted = new Promise((resolve) => {
      window.permit = resolve;
    });
    devices.getUserMedia = async function (constraints) {
      await permitted;
      return open.call(this, constraints);
    };
  });
  await anna.enter(server.http, 'early');
  await anna.page.evaluate(() => window.permit());
  await ben.enter(server.http, 'early');
  const annas = await anna.identity();
  await Promise.all([ben.flows(annas, 'camera'), ben.flows(annas, 'microphone')]);
});

test('on a development server a name and a room are enough', async () => {
  const [anna, ben] = await Promise.all([newPerson(browser, 'Anna'), newPerson(browser, 'Ben')]);
  people.push(anna, ben);
  await anna.enterFreely(server.http, 'freely');
  await ben.enterFreely(server.http, 'freely');
  const annas = await anna.identity();
  await ben.flows(annas, 'camera');
  await anna.page.reload();
  await anna.isIn();
  assert.equal(await anna.identity(), annas);
});

test('a shared screen arrives and goes again', async () => {
  const { anna, ben, annas } = await twoIn('screen');
  await anna.get('toggle-screen').click();
  await ben.tile(annas, 'screen_share').waitFor();
  await ben.flows(annas, 'screen_share');
  await ben.screenshot('screen-share');
  await anna.get('toggle-screen').click();
  await ben.tile(annas, 'screen_share').waitFor({ state: 'detached' });
});

test('chat arrives, in order and as text', async () => {
  const { anna, ben, annas } = await twoIn('chat');
  await ben.flows(annas, 'camera');
  await anna.get('toggle-chat').click();
  const texts = ['Hello Ben', '<b>no markup</b> & “quotes”', 'x'.repeat(900)];
  for (const text of texts) {
    await anna.get('chat-input').fill(text);
    await anna.get('chat-send').click();
  }
  await ben.get('unread').waitFor();
  await ben.get('toggle-chat').click();
  const messages = ben.get('chat-message', `[data-identity="${annas}"]`).locator('[data-testid="chat-text"]');
  await messages.nth(texts.length - 1).waitFor();
  assert.deepEqual(await messages.allTextContents(), texts);
});

test('mute is seen by the other, and keys work', async () => {
  const { anna, ben, annas } = await twoIn('mute');
  await ben.flows(annas, 'microphone');
  await anna.page.keyboard.press('m');
  await ben.tile(annas).and(ben.get('tile', '[data-muted="true"]')).waitFor();
  await anna.page.keyboard.press('m');
  await ben.tile(annas).and(ben.get('tile', '[data-muted="false"]')).waitFor();
  await ben.flows(annas, 'microphone');
});

test('a reload comes back as the same person', async () => {
  const { anna, ben, annas, bens } = await twoIn('reload');
  await ben.flows(annas, 'camera');
  await anna.page.reload();
  await anna.isIn();
  assert.equal(await anna.identity(), annas);
  await Promise.all([
    ben.flows(annas, 'camera'),
    ben.flows(annas, 'microphone'),
    anna.flows(bens, 'camera'),
    anna.flows(bens, 'microphone'),
  ]);
  assert.deepEqual(await ben.others(), [annas]);
  const { items } = await server.api('GET', `/apps/${APP}/rooms/reload/participants`);
  assert.deepEqual(items.map((row) => row.identity).sort(), [annas, bens].sort());
});

test('leaving and being removed are told apart', async () => {
  const { anna, ben, annas, bens } = await twoIn('leave');
  await anna.get('leave').click();
  await anna.get('ended', '[data-reason="CLIENT_INITIATED"]').waitFor();
  await ben.tile(annas).waitFor({ state: 'detached' });
  await server.api('DELETE', `/apps/${APP}/rooms/leave/participants/${bens}`);
  await ben.get('ended', '[data-reason="PARTICIPANT_REMOVED"]').waitFor();
});

test('a viewer sees without being seen', async () => {
  const [anna, vera] = await Promise.all([newPerson(browser, 'Anna'), newPerson(browser, 'Vera')]);
  people.push(anna, vera);
  await anna.enter(server.http, 'viewer');
  await vera.enter(server.http, 'viewer', '?role=audience', { canPublish: false });
  await vera.get('viewer-badge').waitFor();
  await vera.flows(await anna.identity(), 'camera');
  assert.equal(await vera.get('toggle-camera').count(), 0);
  const { items } = await server.api('GET', `/apps/${APP}/rooms/viewer/participants`);
  const veras = await vera.identity();
  assert.equal(items.find((row) => row.identity === veras).role, 'audience');
});
