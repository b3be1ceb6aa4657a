// Lets a small stand-in for `fetch` answer as the server would, and checks tickets and problems.
import { expect, it } from 'vitest';
import { askWhy, isDevelopment, obtainTicket } from './credentials';
import { ProblemError } from './refusal';

const origin = 'http://localhost:7880';
const entry = {
  room: 'choir',
  name: 'Ana',
  identity: 'ana-1',
  role: 'anchor',
  access: null,
} as const;

function answering(status: number, body: string, type = 'application/json') {
  const asked: { url: string; body: unknown }[] = [];
  const get = (async (url: URL | string, init?: RequestInit) => {
    asked.push({ url: String(url), body: init?.body ? JSON.parse(String(init.body)) : null });
    return new Response(body, { status, headers: { 'content-type': type } });
  }) as typeof fetch;
  return { get, asked };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(ProblemError);
  return (error as ProblemError).problem.code;
}

it('uses the token of a link without asking anybody', async () => {
  const { get, asked } = answering(500, '');
  const access = { kind: 'token', token: 'a.b.c', url: null } as const;
  expect(await obtainTicket({ ...entry, access }, origin, get)).toEqual({
    token: 'a.b.c',
    url: 'ws://localhost:7880',
  });
  expect(asked).toEqual([]);
});

it('exchanges a UserSig', async () => {
  const { get, asked } = answering(200, '{"token":"x","url":"wss://rtc.example"}');
  const access = {
    kind: 'usersig',
    sdkAppId: 14,
    userId: 'ana',
    userSig: 's',
    privateMapKey: null,
  } as const;
  expect(await obtainTicket({ ...entry, access }, origin, get)).toEqual({
    token: 'x',
    url: 'wss://rtc.example',
  });
  expect(asked[0]).toEqual({
    url: '/usersig/token',
    body: {
      sdk_app_id: 14,
      user_id: 'ana',
      user_sig: 's',
      room: 'choir',
      name: 'Ana',
      role: 'anchor',
    },
  });
});

it('names an integer room as the vendor does', async () => {
  const { get, asked } = answering(200, '{"token":"x"}');
  const access = {
    kind: 'usersig',
    sdkAppId: 14,
    userId: 'ana',
    userSig: 's',
    privateMapKey: 'p',
  } as const;
  await obtainTicket({ ...entry, room: 'int/123', access }, origin, get);
  expect(asked[0]?.body).toMatchObject({ room_id: 123, private_map_key: 'p' });
  expect(asked[0]?.body).not.toHaveProperty('room');
});

it('asks a development server with its identity', async () => {
  const { get, asked } = answering(200, '{"token":"x","url":"ws://127.0.0.1:7880"}');
  expect((await obtainTicket(entry, origin, get)).url).toBe('ws://localhost:7880');
  expect(asked[0]?.body).toEqual({ room: 'choir', name: 'Ana', identity: 'ana-1', role: 'anchor' });
});

it.each([
  [404, 'Not Found', 'invitation_missing'],
  [403, 'room_full: The room is full.', 'room_full'],
  [401, '{"code":"token_expired","message":"Old."}', 'token_expired'],
  [502, '<html>', 'unknown'],
  [200, '{}', 'unknown'],
  [200, '{"token":"x","url":"ftp://x"}', 'url_invalid'],
])('status %d with %s is %s', async (status, body, code) => {
  expect(await codeOf(obtainTicket(entry, origin, answering(status, body).get))).toBe(code);
});

it('tells when nothing answers', async () => {
  const get = (async () => {
    throw new TypeError('Failed to fetch');
  }) as typeof fetch;
  expect(await codeOf(obtainTicket(entry, origin, get))).toBe('unreachable');
  expect(await isDevelopment(get)).toBe(false);
  expect(await askWhy('ws://x', 't', get)).toBeNull();
});

it('knows development mode by its answer, not by a page that answers everything', async () => {
  expect(await isDevelopment(answering(200, '{}').get)).toBe(true);
  expect(await isDevelopment(answering(200, '<html>', 'text/html').get)).toBe(false);
  expect(await isDevelopment(answering(404, '{}').get)).toBe(false);
});

it('asks why', async () => {
  const { get, asked } = answering(503, 'node_full: Full.', 'text/plain');
  expect((await askWhy('wss://rtc.example', 't', get))?.code).toBe('node_full');
  expect(asked[0]?.url).toBe('https://rtc.example/rtc/validate?access_token=t');
});
