// LiveKit tokens, signed here so that wrong ones can be made too.
import { createHmac } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token to join `room`. `lifetime` in seconds may be negative. */
export function token(identity, room, { secret = 'secret', lifetime = 3600, name = identity, video = {} } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'devkey',
    sub: identity,
    name,
    nbf: now + Math.min(0, lifetime) - 60,
    exp: now + lifetime,
    video: { roomJoin: true, room, ...video },
  };
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}
