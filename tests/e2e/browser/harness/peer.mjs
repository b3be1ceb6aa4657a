// LiveKit's client in a page of nothing else: what is published and what arrives, in figures.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, afterEach, before } from 'node:test';
import { startServer } from '../../harness/server.mjs';
import { startBrowser } from './browser.mjs';
import { token } from './tokens.mjs';

const require = createRequire(import.meta.url);
const library = readFileSync(require.resolve('livekit-client'), 'utf8');

/** What runs in the page. */
function inPage() {
  const { Room, VideoQuality, VideoPreset, LocalVideoTrack } = window.LivekitClient;
  const state = { room: null, pub: null };

  /** A moving picture of that size. */
  function picture(width, height, fps) {
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width, height });
    const paint = canvas.getContext('2d');
    let turn = 0;
    setInterval(() => {
      turn += 1;
      paint.fillStyle = `hsl(${(turn * 7) % 360} 70% 50%)`;
      paint.fillRect(0, 0, width, height);
      paint.fillStyle = '#000';
      paint.fillRect((turn * 13) % width, (turn * 5) % height, width / 5, height / 5);
    }, 1000 / fps);
    return canvas.captureStream(fps).getVideoTracks()[0];
  }

  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  /** The only video of somebody else. */
  function remote() {
    for (const person of state.room.remoteParticipants.values())
      for (const publication of person.trackPublications.values())
        if (publication.kind === 'video') return publication;
    return undefined;
  }

  async function inbound() {
    const report = await remote()?.track?.getRTCStatsReport();
    const all = [...(report?.values() ?? [])];
    const stats = all.find((entry) => entry.type === 'inbound-rtp');
    if (!stats) return undefined;
    const codec = all.find((entry) => entry.id === stats.codecId)?.mimeType ?? '';
    return { ...stats, codec };
  }

  window.peer = {
    async join(url, jwt, options) {
      state.room = new Room(options);
      await state.room.connect(url, jwt);
    },
    async publish({ width, height, fps, bitrate = 600_000, ...options }) {
      state.pub = await state.room.localParticipant.publishTrack(picture(width, height, fps), {
        source: 'camera',
        videoEncoding: { maxBitrate: bitrate, maxFramerate: fps },
        ...options,
      });
      return state.pub.trackSid;
    },
    /** What the browser encodes: a row for each stream and codec. */
    async sent() {
      const track = state.pub.track;
      const senders = [track.sender, ...[...track.simulcastCodecs.values()].map((info) => info.sender)];
      const rows = [];
      for (const sender of senders.filter(Boolean)) {
        const all = [...(await sender.getStats()).values()];
        for (const stats of all.filter((entry) => entry.type === 'outbound-rtp')) {
          const codec = all.find((entry) => entry.id === stats.codecId)?.mimeType ?? '';
          const { rid = '', active, framesEncoded = 0, frameHeight = 0, scalabilityMode = '' } = stats;
          rows.push({ codec, rid, active, framesEncoded, frameHeight, scalabilityMode, bytes: stats.bytesSent });
        }
      }
      return rows;
    },
    inbound,
    quality(name) {
      remote().setVideoQuality(VideoQuality[name]);
    },
    fps(fps) {
      remote().setVideoFPS(fps);
    },
    enable(on) {
      remote().setEnabled(on);
    },
    subscribe(on) {
      remote().setSubscribed(on);
    },
    stopPublishing() {
      return state.room.localParticipant.unpublishTrack(state.pub.track);
    },
    /** Frames decoded each second over a while. */
    async rate(ms = 2000) {
      const before = await inbound();
      await wait(ms);
      const after = await inbound();
      return ((after?.framesDecoded ?? 0) - (before?.framesDecoded ?? 0)) / (ms / 1000);
    },
  };
}

/** Source text that makes a page unable to receive some codecs: they are missing in whatever it describes. */
export function without(codecs) {
  function strip(names) {
    const lean = (sdp) =>
      sdp
        .split(/(?=^m=)/m)
        .map((section) => {
          const maps = [...section.matchAll(/^a=rtpmap:(\d+) ([^/]+)/gm)];
          const gone = new Set(maps.filter((map) => names.includes(map[2].toUpperCase())).map((map) => map[1]));
          for (const again of section.matchAll(/^a=fmtp:(\d+) apt=(\d+)/gm)) if (gone.has(again[2])) gone.add(again[1]);
          return section
            .split('\r\n')
            .filter((line) => !gone.has(line.match(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/)?.[1]))
            .map((line) => (line.startsWith('m=') ? line.split(' ').filter((word, place) => place < 3 || !gone.has(word)).join(' ') : line))
            .join('\r\n');
        })
        .join('');
    for (const name of ['createOffer', 'createAnswer']) {
      const make = RTCPeerConnection.prototype[name];
      RTCPeerConnection.prototype[name] = async function (...args) {
        const made = await make.apply(this, args);
        return { type: made.type, sdp: lean(made.sdp) };
      };
    }
  }
  return `(${strip})(${JSON.stringify(codecs)})`;
}

/** A page that joined a room. `before`: what is done to the page first, as source text. */
export async function newPeer(browser, http, identity, room, { options = {}, before } = {}) {
  const context = await browser.newContext({ bypassCSP: true });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const errors = [];
  const lines = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('console', (message) => lines.push(message.text()));
  await page.goto(`${http}/healthz`);
  if (before) await page.evaluate(before);
  await page.addScriptTag({ content: library });
  await page.evaluate(inPage);
  const settings = { adaptiveStream: false, dynacast: false, ...options };
  await page.evaluate(([url, jwt, all]) => window.peer.join(url, jwt, all), [
    http.replace(/^http/, 'ws'),
    token(identity, room),
    settings,
  ]);
  return new Peer(page, errors, lines);
}

export class Peer {
  constructor(page, errors, lines) {
    this.page = page;
    this.errors = errors;
    this.lines = lines;
  }

  /** Calls a function of the page. */
  call(name, ...args) {
    return this.page.evaluate(([name, args]) => window.peer[name](...args), [name, args]);
  }

  /** Waits until what comes in is as wanted, and its pictures go on; answers it. */
  async receives(what, fits, seconds = 25) {
    const deadline = Date.now() + seconds * 1000;
    let last;
    for (;;) {
      const now = await this.call('inbound');
      if (now && last && now.framesDecoded > last.framesDecoded && fits(now)) return now;
      if (Date.now() > deadline) {
        const { frameHeight, framesDecoded, codec, pliCount, framesReceived, packetsReceived, keyFramesDecoded } = now ?? {};
        const seen = { frameHeight, framesDecoded, codec, pliCount, framesReceived, packetsReceived, keyFramesDecoded };
        throw new Error(`not received: ${what}; instead ${JSON.stringify(seen)}`);
      }
      last = now;
      await this.page.waitForTimeout(200);
    }
  }

  /** Waits until a question about what is sent has a good answer. */
  async sends(what, fits, seconds = 25) {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      const rows = await this.call('sent');
      if (fits(rows)) return rows;
      if (Date.now() > deadline) throw new Error(`not sent: ${what}; instead ${JSON.stringify(rows)}`);
      await this.page.waitForTimeout(250);
    }
  }

  async close() {
    await this.page.context().close();
  }
}

/**
 * A server and a browser for all tests of a file, by whose name the server's log is found. What it answers brings somebody
 * into a room until the test is over; a page with an error fails the test.
 */
export function peers(name) {
  let server;
  let browser;
  let inside = [];
  before(async () => {
    server = await startServer(name);
    browser = await startBrowser();
  });
  after(async () => {
    await browser?.close();
    assert.equal(await server?.stop(), 0);
  });
  afterEach(async () => {
    const errors = inside.flatMap((peer) => peer.errors);
    for (const peer of inside) await peer.close();
    inside = [];
    assert.deepEqual(errors, []);
  });
  return async (identity, room, settings) => {
    const peer = await newPeer(browser, server.http, identity, room, settings);
    inside.push(peer);
    return peer;
  };
}
