// Feeds refusals as the server writes them and checks what a person reads.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { refusals } from '../texts';
import { failure, problemFromJson, problemFromText, splitRefusal } from './refusal';

describe('splitRefusal', () => {
  it.each([
    ['room_full: The room has as many users as it may have.', ['room_full'], ''],
    [
      'revoked: This user was removed from the room; a token made after that is needed.',
      ['revoked'],
      '',
    ],
    [
      'identity_too_long: The identity is longer than 256 bytes (32 through UserSig). (it has 300)',
      ['identity_too_long'],
      'it has 300',
    ],
    [
      'identity_too_long: The identity is longer than 256 bytes (32 through UserSig).',
      ['identity_too_long'],
      '',
    ],
    ['app_disabled: Off. unavailable: Try again later.', ['app_disabled', 'unavailable'], ''],
    ['room_full: At most: 300. Really: yes.', ['room_full'], ''],
  ])('%s', (text, codes, detail) => {
    const split = splitRefusal(text);
    expect(split?.reasons.map((r) => r.code)).toEqual(codes);
    expect(split?.detail).toBe(detail);
  });

  it.each([
    '',
    'could not establish pc connection',
    'Not Found',
    ': x',
    '<html>a: b</html>',
    'Error: x',
  ])('is not fooled by "%s"', (text) => {
    expect(splitRefusal(text)).toBeNull();
  });

  it('does not take long over hostile text', () => {
    const started = performance.now();
    splitRefusal(`${'a: '.repeat(100_000)}(`);
    splitRefusal(`a: ${'. ('.repeat(100_000)}`);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

it('shows title, the sentence of the server and a remedy', () => {
  const problem = problemFromText('room_full: The room has as many users as it may have.');
  expect(problem).toMatchObject({
    code: 'room_full',
    sentence: 'The room has as many users as it may have.',
  });
  expect(problem?.title).toBe(refusals.room_full?.title);
  expect(problem?.remedy).not.toBe('');
});

it('shows the raw sentence of a code that it does not know', () => {
  expect(problemFromText('standing_hold: A bill is open; its owner can settle it.')).toMatchObject({
    code: 'standing_hold',
    sentence: 'A bill is open; its owner can settle it.',
    remedy: '',
  });
});

it.each([
  [{ code: 'revoked', message: 'Out.' }, 'revoked'],
  [{ error: { code: 'revoked', message: 'Out.' } }, 'revoked'],
  [
    {
      reasons: [
        { code: 'app_disabled', sentence: 'Off.' },
        { code: 'revoked', sentence: 'Out.' },
      ],
      detail: 'x',
    },
    'app_disabled',
  ],
])('reads the JSON form %j', (body, code) => {
  expect(problemFromJson(body)?.code).toBe(code);
});

it.each([null, 5, 'x', [], {}, { code: 7 }, { reasons: [] }, { reasons: [null] }])(
  'reads nothing from %j',
  (body) => {
    expect(problemFromJson(body)).toBeNull();
  },
);

it('has words for its own failures', () => {
  expect(failure('unreachable', 'x')).toMatchObject({ code: 'unreachable', detail: 'x' });
  expect(failure('never_heard_of').title).not.toBe('');
});

it('has a row for every code of the server, and none more', () => {
  const table = readFileSync(
    new URL('../../../../crates/fermata-types/src/refusal.rs', import.meta.url),
    'utf8',
  );
  const codes = [...table.matchAll(/"([a-z_]+)",\s*\d{3},/g)].map((m) => m[1]);
  expect(codes.length).toBeGreaterThan(10);
  expect(Object.keys(refusals).sort()).toEqual(codes.sort());
});
