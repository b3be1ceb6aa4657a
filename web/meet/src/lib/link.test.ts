// Reads links as people get them and checks what the page makes of them.
import { describe, expect, it } from 'vitest';
import { addressFor, inviteLink, parseLink, readClaims, serverUrl } from './link';

const origin = 'https://meet.example';

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part(claims)}.c2ln`;
}

describe('parseLink', () => {
  it.each([
    ['/meet/?room=choir', 'choir'],
    ['/meet/r/choir', 'choir'],
    ['/meet/r/choir/', 'choir'],
    ['/meet/r/ch%C5%93ur%20du%20soir', 'chœur du soir'],
    ['/meet/?room=int%2F123', 'int/123'],
    ['/meet/', ''],
    ['/meet/r/%E0%A4%A', ''],
    ['/meet/#room=choir', 'choir'],
  ])('%s opens room "%s"', (path, room) => {
    expect(parseLink(origin + path).room).toBe(room);
  });

  it('takes a token and a server from the fragment, and room and name from the token', () => {
    const token = jwt({ sub: 'ana-1', name: 'Ana Sørensen', video: { room: 'choir' } });
    const link = parseLink(
      `${origin}/meet/#token=${token}&url=${encodeURIComponent('wss://rtc.example')}`,
    );
    expect(link).toMatchObject({ room: 'choir', name: 'Ana Sørensen' });
    expect(link.access).toEqual({ kind: 'token', token, url: 'wss://rtc.example' });
  });

  it('never takes credentials from the query', () => {
    expect(parseLink(`${origin}/meet/?room=a&token=x.y.z`).access).toBeNull();
  });

  it('takes a UserSig only when it is whole', () => {
    const whole = '#sdk_app_id=1400000001&user_id=ana&user_sig=eJx*abc-_';
    expect(parseLink(`${origin}/meet/?room=a${whole}`).access).toEqual({
      kind: 'usersig',
      sdkAppId: 1400000001,
      userId: 'ana',
      userSig: 'eJx*abc-_',
      privateMapKey: null,
    });
    expect(parseLink(`${origin}/meet/#sdk_app_id=0&user_id=ana&user_sig=x`).access).toBeNull();
    expect(parseLink(`${origin}/meet/#sdk_app_id=14&user_sig=x`).access).toBeNull();
  });

  it('knows roles and the number of connections, and ignores other words', () => {
    expect(parseLink(`${origin}/meet/?role=audience&pc=dual`)).toMatchObject({
      role: 'audience',
      connections: 'dual',
    });
    expect(parseLink(`${origin}/meet/?role=king&pc=9`)).toMatchObject({
      role: 'anchor',
      connections: null,
    });
  });
});

it('believes a token more than the rest of the link', () => {
  const token = jwt({ sub: 'ana-1', video: { room: 'choir' } });
  const link = parseLink(`${origin}/meet/r/other?name=Zoe#token=${token}`);
  expect(link).toMatchObject({ room: 'choir', name: 'ana-1' });
});

it.each(['', 'x', 'a.b.c', 'a.!!!.c', `a.${Buffer.from('5').toString('base64url')}.c`])(
  'reads nothing from the broken token "%s"',
  (token) => {
    expect(readClaims(token)?.identity ?? '').toBe('');
  },
);

it('writes an invitation that it reads back', () => {
  for (const room of ['choir', 'a.b', 'int/7', 'chœur & co', '?#%']) {
    expect(parseLink(inviteLink(origin, room)).room).toBe(room);
    expect(parseLink(origin + addressFor(`${origin}/meet/?pc=dual#token=x`, room)).room).toBe(room);
  }
  expect(addressFor(`${origin}/meet/?pc=dual&token=x#token=x`, 'a')).toBe('/meet/r/a?pc=dual');
});

it.each([
  [null, 'https://meet.example', 'wss://meet.example'],
  ['', 'http://127.0.0.1:7880', 'ws://127.0.0.1:7880'],
  ['ws://127.0.0.1:7880', 'http://localhost:7880', 'ws://localhost:7880'],
  ['ws://127.0.0.1:7880', 'http://localhost:5173', 'ws://127.0.0.1:7880'],
  ['https://rtc.example/base/', 'https://meet.example', 'wss://rtc.example/base'],
  ['javascript:alert(1)', 'https://meet.example', null],
  ['not a url', 'https://meet.example', null],
])('server %s seen from %s is %s', (url, page, expected) => {
  expect(serverUrl(url, page)).toBe(expected);
});
