/** Gets a LiveKit token: from the link, for a UserSig, or from a server in development mode. */
import type { Access, Role } from './link';
import { serverUrl } from './link';
import { failure, type Problem, ProblemError, problemFromJson, problemFromText } from './refusal';

export interface Entry {
  room: string;
  name: string;
  identity: string;
  role: Role;
  /** Null asks a server in development mode. */
  access: Access | null;
}

export interface Ticket {
  token: string;
  /** WebSocket address of the server, `ws:` or `wss:`. */
  url: string;
}

type Fetch = typeof fetch;

/** How long a server may take to answer, milliseconds. */
const ANSWER_TIMEOUT_MS = 8000;

/** Whether the server is in development mode and gives tokens to anybody on its machine. */
export async function isDevelopment(get: Fetch = fetch): Promise<boolean> {
  try {
    const answer = await get('/dev/info', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return answer.ok && (answer.headers.get('content-type') ?? '').includes('json');
  } catch {
    return false;
  }
}

/** Throws {@link ProblemError} when there is no token to be had. */
export async function obtainTicket(
  entry: Entry,
  origin: string,
  get: Fetch = fetch,
): Promise<Ticket> {
  const { access, room, name, identity, role } = entry;
  if (access?.kind === 'token') return ticket(access.token, access.url, origin);
  if (access?.kind === 'usersig') {
    const body = {
      sdk_app_id: access.sdkAppId,
      user_id: access.userId,
      user_sig: access.userSig,
      ...(access.privateMapKey ? { private_map_key: access.privateMapKey } : {}),
      ...vendorRoom(room),
      name,
      role,
    };
    return post('/usersig/token', body, origin, get);
  }
  return post('/dev/token', { room, name, identity, role }, origin, get);
}

/** With a UserSig, integer and string rooms have a field each; LiveKit writes the former `int/123`. */
function vendorRoom(room: string): { room_id: number } | { room: string } {
  const digits = /^int\/(\d{1,10})$/.exec(room)?.[1];
  return digits ? { room_id: Number(digits) } : { room };
}

async function post(path: string, body: object, origin: string, get: Fetch): Promise<Ticket> {
  let answer: Response;
  try {
    answer = await get(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
  } catch (error) {
    throw new ProblemError(failure('unreachable', String(error)));
  }
  const text = await answer.text();
  if (!answer.ok) throw new ProblemError(refused(path, answer.status, text));
  const value = asJson(text) as { token?: unknown; url?: unknown } | null;
  if (typeof value?.token !== 'string') {
    throw new ProblemError(failure('unknown', `${path} answered without a token`));
  }
  return ticket(value.token, typeof value.url === 'string' ? value.url : null, origin);
}

function refused(path: string, status: number, text: string): Problem {
  const told = problemFromText(text) ?? problemFromJson(asJson(text));
  if (told) return told;
  // Outside development mode the path does not exist.
  if (path === '/dev/token' && (status === 404 || status === 405))
    return failure('invitation_missing');
  return failure('unknown', `${status} ${text}`.trim());
}

function ticket(token: string, url: string | null, origin: string): Ticket {
  const address = serverUrl(url, origin);
  if (!address) throw new ProblemError(failure('url_invalid', url ?? ''));
  return { token, url: address };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * Asks the server why it refused a token. The media client learns that only for statuses 401 and 403;
 * the others carry a sentence too.
 */
export async function askWhy(
  url: string,
  token: string,
  get: Fetch = fetch,
): Promise<Problem | null> {
  const address = new URL(`${url.replace(/^ws/, 'http')}/rtc/validate`);
  address.searchParams.set('access_token', token);
  try {
    const answer = await get(address, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (answer.ok) return null;
    const text = await answer.text();
    return problemFromText(text) ?? problemFromJson(asJson(text));
  } catch {
    return null;
  }
}
