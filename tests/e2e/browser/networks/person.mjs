// One person as a process: Chromium, in the network namespace in which this runs.
//
// Argument: a JSON object {kind, url, tone, picture, every_s} and what the kind of server wants beside: a `token`
// (livekit), or a `room` and its `settings` (janus). Every `every_s` seconds a line of JSON tells what it has of each
// track; at a line on its input it leaves, and ends.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { startBrowser } from '../harness/browser.mjs';
import * as janus from './janus.mjs';
import * as livekit from './livekit.mjs';
import * as scene from './scene.mjs';
import * as stats from './stats.mjs';

const LEAVING_MS = 3_000;
const wanted = JSON.parse(process.argv[2]);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let leaving = false;
const left = new Promise((resolve) => {
  const input = createInterface({ input: process.stdin });
  for (const event of ['line', 'close']) input.once(event, resolve);
}).then(() => (leaving = true));

/** Our address in this namespace. */
function address() {
  const all = Object.values(networkInterfaces()).flat();
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}

async function enter(page) {
  const kind = { livekit, janus }[wanted.kind];
  // LiveKit's client wants a page with an origin; that of the server is one.
  if (wanted.kind === 'livekit') await page.goto(`${wanted.url.replace(/^ws/, 'http')}/healthz`);
  await page.evaluate(stats.inPage);
  await page.evaluate(scene.inPage);
  if (wanted.kind === 'livekit') {
    const library = createRequire(import.meta.url).resolve('livekit-client');
    await page.addScriptTag({ content: readFileSync(library, 'utf8') });
  }
  await page.evaluate(kind.inPage);
  await page.evaluate((all) => window.person.join(all), { ...wanted, address: address() });
  if (wanted.picture) await page.evaluate((all) => window.person.publish(all), wanted);
}

async function tell(page) {
  const everyMs = (wanted.every_s ?? 0.25) * 1000;
  let due = Date.now();
  while (!leaving) {
    process.stdout.write(`${JSON.stringify(await page.evaluate(() => window.told()))}\n`);
    due += everyMs;
    await Promise.race([left, wait(Math.max(0, due - Date.now()))]);
  }
}

const browser = await startBrowser();
try {
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  page.on('pageerror', (error) => console.error(String(error)));
  page.on('console', (message) => console.error(message.text()));
  await Promise.race([enter(page), left]);
  await tell(page);
  await Promise.race([page.evaluate(() => window.person?.leave()), wait(LEAVING_MS)]);
} finally {
  await browser.close();
}
process.exit(0);
