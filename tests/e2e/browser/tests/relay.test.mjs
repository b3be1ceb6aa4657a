// Pages whose only way is the relay (TURN), over UDP or over TLS: they see and hear each other through it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { newPerson, startBrowser } from '../harness/browser.mjs';
import { startServer } from '../../harness/server.mjs';

let folder;
let server;
let browser;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fermata-tls-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
    ...['-keyout', key, '-out', cert],
  ], { stdio: 'ignore' });
  server = await startServer('relay', [
    ...['--turn', '--turn-port', '0', '--turn-tls-port', '0', '--turn-host', 'localhost'],
    ...['--tls-cert', cert, '--tls-key', key],
  ]);
  // The certificate is nobody's but this test's.
  browser = await startBrowser(['--ignore-certificate-errors']);
});

after(async () => {
  await browser?.close();
  assert.equal(await server?.stop(), 0);
  if (folder) rmSync(folder, { recursive: true });
});

/** A page that knows of no way but relays with such URLs; what it says of the ways that it uses. */
async function relayed(name, scheme) {
  const person = await newPerson(browser, name, { ignoreHTTPSErrors: true });
  await person.page.addInitScript((scheme) => {
    const Plain = window.RTCPeerConnection;
    if (!Plain) return;
    window.connections = [];
    const only = (configuration) => ({
      ...configuration,
      iceTransportPolicy: 'relay',
      iceServers: (configuration?.iceServers ?? []).map((server) => ({
        ...server,
        urls: [server.urls].flat().filter((url) => url.startsWith(`${scheme}:`)),
      })),
    });
    window.RTCPeerConnection = class extends Plain {
      constructor(configuration) {
        super(only(configuration));
        window.connections.push(this);
      }

      setConfiguration(configuration) {
        super.setConfiguration(only(configuration));
      }
    };
  }, scheme);
  person.ways = () =>
    person.page.evaluate(async () => {
      const ways = [];
      for (const connection of window.connections) {
        const report = await connection.getStats();
        for (const stats of report.values()) {
          if (stats.type !== 'transport' || !stats.selectedCandidatePairId) continue;
          const local = report.get(report.get(stats.selectedCandidatePairId).localCandidateId);
          ways.push(`${local.candidateType} ${local.relayProtocol}`);
        }
      }
      return ways;
    });
  return person;
}

for (const [scheme, protocol] of [['turn', 'udp'], ['turns', 'tls']]) {
  test(`two pages see and hear each other through the relay over ${protocol}`, async () => {
    const [anna, ben] = await Promise.all([relayed('Anna', scheme), relayed('Ben', scheme)]);
    await anna.enter(server.http, `relay-${scheme}`);
    await ben.enter(server.http, `relay-${scheme}`);
    const [annas, bens] = await Promise.all([anna.identity(), ben.identity()]);
    await Promise.all([
      anna.flows(bens, 'camera'),
      anna.flows(bens, 'microphone'),
      ben.flows(annas, 'camera'),
      ben.flows(annas, 'microphone'),
    ]);
    for (const person of [anna, ben]) {
      const ways = await person.ways();
      assert.ok(ways.length > 0);
      for (const way of ways) assert.match(way, new RegExp(`^(relay|prflx) ${protocol}$`));
      await person.close();
    }
  });
}
