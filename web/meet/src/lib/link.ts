/**
 * Reads and writes the links by which people come.
 * What opens doors (tokens, signatures) stands in the fragment, which browsers send to no server.
 */

export type Role = 'anchor' | 'audience';

/** How a token is come by. */
export type Access =
  | { kind: 'token'; token: string; url: string | null }
  | {
      kind: 'usersig';
      sdkAppId: number;
      userId: string;
      userSig: string;
      privateMapKey: string | null;
    };

export interface Link {
  room: string;
  name: string;
  role: Role;
  /** Null when the link carries no credentials. */
  access: Access | null;
  /** One peer connection or two; null leaves the choice to the client library. */
  connections: 'single' | 'dual' | null;
}

/** The folder the server serves the page under. */
const BASE = '/meet/';
/** Names that survive as a path segment with any web server in between. */
const PLAIN = /^[A-Za-z0-9_-]+$/;

export function parseLink(href: string): Link {
  const url = new URL(href);
  const query = url.searchParams;
  const secret = new URLSearchParams(url.hash.replace(/^#/, ''));
  const either = (key: string) => secret.get(key) ?? query.get(key) ?? '';
  const access = parseAccess(secret);
  const claims = access?.kind === 'token' ? readClaims(access.token) : null;
  const pc = query.get('pc');
  return {
    // What a token says counts: the server goes by it alone.
    room: (claims?.room || roomOfPath(url.pathname) || either('room')).trim(),
    name: (claims?.name || claims?.identity || either('name')).trim(),
    role: either('role') === 'audience' ? 'audience' : 'anchor',
    access,
    connections: pc === 'single' || pc === 'dual' ? pc : null,
  };
}

function roomOfPath(path: string): string {
  const match = /^\/meet\/r\/([^/]+)\/?$/.exec(path);
  if (!match?.[1]) return '';
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return '';
  }
}

function parseAccess(secret: URLSearchParams): Access | null {
  const token = secret.get('token');
  if (token) return { kind: 'token', token, url: secret.get('url') };
  const sdkAppId = Number(secret.get('sdk_app_id') ?? Number.NaN);
  const userId = secret.get('user_id');
  const userSig = secret.get('user_sig');
  if (isSdkAppId(sdkAppId) && userId && userSig) {
    return {
      kind: 'usersig',
      sdkAppId,
      userId,
      userSig,
      privateMapKey: secret.get('private_map_key'),
    };
  }
  return null;
}

/** SDKAppIDs are positive and fit 32 bits. */
export function isSdkAppId(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= 0xffff_ffff;
}

export interface Claims {
  identity: string;
  name: string;
  room: string;
}

/** Reads a token's claims to show them. Nothing is verified here: that is the server's part. */
export function readClaims(token: string): Claims | null {
  const body = token.split('.')[1];
  if (!body) return null;
  try {
    const bytes = atob(body.replace(/-/g, '+').replace(/_/g, '/'));
    const text = new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
    const claims = JSON.parse(text) as Record<string, unknown>;
    const video = (claims.video ?? {}) as Record<string, unknown>;
    return { identity: asText(claims.sub), name: asText(claims.name), room: asText(video.room) };
  } catch {
    return null;
  }
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A link that brings others to the room. It carries no credentials. */
export function inviteLink(origin: string, room: string): string {
  return PLAIN.test(room)
    ? `${origin}${BASE}r/${room}`
    : `${origin}${BASE}?room=${encodeURIComponent(room)}`;
}

/** The address to show while in a room: as the invitation, keeping harmless parameters. */
export function addressFor(href: string, room: string): string {
  const url = new URL(href);
  const kept = new URLSearchParams();
  for (const key of ['role', 'pc']) {
    const value = url.searchParams.get(key);
    if (value) kept.set(key, value);
  }
  const address = new URL(inviteLink(url.origin, room));
  for (const [key, value] of kept) address.searchParams.set(key, value);
  return address.pathname + address.search;
}

/**
 * The address the media client shall use.
 * Without one it is the page's own server. Loopback has several names; the page's is used for its own
 * port, because the page's security policy knows only that one.
 */
export function serverUrl(url: string | null | undefined, pageOrigin: string): string | null {
  const page = new URL(pageOrigin);
  let target: URL;
  try {
    target = new URL(url || pageOrigin);
  } catch {
    return null;
  }
  const secure = { 'ws:': 'ws:', 'http:': 'ws:', 'wss:': 'wss:', 'https:': 'wss:' }[
    target.protocol
  ];
  if (!secure) return null;
  const local =
    isLoopback(page.hostname) && isLoopback(target.hostname) && page.port === target.port;
  const host = local ? page.host : target.host;
  return `${secure}//${host}${target.pathname.replace(/\/+$/, '')}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d+){3}$/.test(host);
}
