// Chromium with fake devices, and people on the page.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { artifacts } from '../../harness/server.mjs';
import { token } from './tokens.mjs';

const executablePath =
  process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);

const args = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Camera and microphone that need no hardware, and nobody to ask for leave. The microphone beeps.
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--auto-select-desktop-capture-source=Entire screen',
  '--autoplay-policy=no-user-gesture-required',
  // Loopback addresses are candidates as they are; nobody resolves mDNS names here.
  '--disable-features=WebRtcHideLocalIpsWithMdns',
];

/** Starts Chromium. Root may not use its sandbox. */
export function startBrowser(more = []) {
  const root = process.getuid?.() === 0;
  return chromium.launch({ executablePath, headless: true, args: [...args, ...more, ...(root ? ['--no-sandbox'] : [])] });
}

/** One person: a browser context of its own (own storage) with one page. Fails on errors of the page. */
export async function newPerson(browser, name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  return new Person(name, page, errors);
}

export class Person {
  constructor(name, page, errors) {
    this.name = name;
    this.page = page;
    this.errors = errors;
  }

  get(testId, attributes = '') {
    return this.page.locator(`[data-testid="${testId}"]${attributes}`);
  }

  /** Enters a room through the lobby, with the personal link that an application would have sent. */
  async enter(http, room, query = '', video = {}) {
    const identity = this.name.toLowerCase().replaceAll(' ', '-');
    const jwt = token(identity, room, { name: this.name, video });
    // From elsewhere: a change of the fragment alone would not load the page.
    await this.page.goto('about:blank');
    await this.page.goto(`${http}/meet/r/${room}${query}#token=${jwt}`);
    await this.get('join').click();
    await this.isIn();
  }

  /** Enters a room as anybody may on a development server: with a name and nothing else. */
  async enterFreely(http, room) {
    await this.page.goto(http);
    await this.get('name').fill(this.name);
    await this.get('room').fill(room);
    await this.get('join').click();
    await this.isIn();
  }

  async isIn() {
    await this.get('meeting', '[data-state="connected"]').waitFor();
  }

  /** The tile of somebody else. */
  tile(identity, source = 'camera') {
    return this.get('tile', `[data-identity="${identity}"][data-source="${source}"]`);
  }

  identity() {
    return this.page.evaluate(() => window.__fermata.room.localParticipant.identity);
  }

  others() {
    return this.page.evaluate(() => [...window.__fermata.room.remoteParticipants.keys()]);
  }

  /** What arrives, by "identity source": frames decoded, or energy heard. */
  received() {
    return this.page.evaluate(async () => {
      const sums = {};
      for (const person of window.__fermata.room.remoteParticipants.values()) {
        for (const publication of person.trackPublications.values()) {
          const report = await publication.track?.getRTCStatsReport();
          for (const stats of report?.values() ?? []) {
            if (stats.type !== 'inbound-rtp') continue;
            sums[`${person.identity} ${publication.source}`] =
              stats.kind === 'video' ? (stats.framesDecoded ?? 0) : (stats.totalAudioEnergy ?? 0);
          }
        }
      }
      return sums;
    });
  }

  /** Waits until that track is there and goes on: it rises twice. */
  async flows(identity, source, seconds = 20) {
    const key = `${identity} ${source}`;
    let last = (await this.received())[key] ?? 0;
    let rises = 0;
    const deadline = Date.now() + seconds * 1000;
    while (rises < 2) {
      if (Date.now() > deadline) throw new Error(`${this.name} does not get ${key} (${last})`);
      await this.page.waitForTimeout(150);
      const now = (await this.received())[key] ?? 0;
      if (now > last) rises += 1;
      last = now;
    }
  }

  /** How many pixels the page is wider than its window. */
  overhang() {
    return this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth - clientWidth;
    });
  }

  async screenshot(name) {
    await this.page.screenshot({ path: join(artifacts, `meet-${name}.png`) });
  }

  async close() {
    await this.page.context().close();
  }
}
