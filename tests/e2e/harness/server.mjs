// The real binary as a child process. One line of JSON on its stdout says where it is.
import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const binary = process.env.FERMATA_BIN ?? join(repository, 'target/debug/fermata');
export const artifacts = process.env.FERMATA_E2E_ARTIFACTS ?? join(repository, 'target/test-artifacts');

const READY_MS = 20_000;
const STOP_MS = 15_000;
export const APP = 1400000001;

let ending = false;

/** Starts `fermata serve --dev` on ports the system chooses. */
export async function startServer(name, more = []) {
  mkdirSync(artifacts, { recursive: true });
  const log = openSync(join(artifacts, `server-${name}.log`), 'w');
  const args = ['serve', '--dev', '--http-port', '0', '--udp-port', '0', '--tcp-port', '0', ...more];
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', log] });
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  // A test that fails or is ended must not leave it running.
  process.once('exit', () => child.kill('SIGKILL'));
  endBySignal();
  const line = await within(READY_MS, 'the server is not ready', Promise.race([
    new Promise((resolve) => createInterface({ input: child.stdout }).once('line', resolve)),
    ended.then((code) => Promise.reject(new Error(`the server ended: ${code}`))),
  ]));
  const ready = JSON.parse(line);
  return {
    http: ready.http,
    /** Asks for an orderly end; resolves to the exit code. */
    async stop() {
      child.kill('SIGTERM');
      return within(STOP_MS, 'the server does not end', ended);
    },
    /** The operator API. */
    async api(method, path, body) {
      const answer = await fetch(`${ready.http}/api/v1${path}`, {
        method,
        headers: { authorization: 'Bearer dev-operator', 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return answer.status === 204 ? null : answer.json();
    },
  };
}

/** Without this, a signal ends the process without its `exit` event. */
function endBySignal() {
  if (ending) return;
  ending = true;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
}

/** The promise, or an error after `ms`. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
