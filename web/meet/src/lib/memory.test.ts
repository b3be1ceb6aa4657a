// Remembers and forgets in a store of this test's own.
import { expect, it } from 'vitest';
import {
  changeSession,
  identityFor,
  makeIdentity,
  noPrefs,
  readPrefs,
  readSession,
  type Store,
  writePrefs,
  writeSession,
} from './memory';

function store(): Store {
  const map = new Map<string, string>();
  return {
    getItem: (key) => map.get(key) ?? null,
    setItem: (key, value) => void map.set(key, value),
    removeItem: (key) => void map.delete(key),
  };
}

it('keeps one identity per room, and makes another when asked', () => {
  const tab = store();
  const first = identityFor(tab, 'choir', 'Ana');
  expect(identityFor(tab, 'choir', 'Somebody')).toBe(first);
  expect(identityFor(tab, 'other', 'Ana')).not.toBe(first);
  expect(identityFor(tab, 'choir', 'Ana', true)).not.toBe(first);
  expect(identityFor(store(), 'choir', 'Ana')).not.toBe(first);
});

it.each(['Ana Sørensen', '李明', '', 'x'.repeat(500)])(
  'makes a short plain identity of "%s"',
  (name) => {
    expect(makeIdentity(name)).toMatch(/^[a-z0-9-]{8,32}$/);
  },
);

it('reads what it wrote, and nothing from rubbish', () => {
  const tab = store();
  expect(readSession(tab)).toBeNull();
  writeSession(tab, {
    room: 'a',
    name: 'Ana',
    role: 'anchor',
    access: null,
    inRoom: true,
    cameraOn: true,
    micOn: false,
  });
  changeSession(tab, { inRoom: false });
  expect(readSession(tab)).toMatchObject({ room: 'a', inRoom: false, cameraOn: true });
  tab.setItem('fermata.meet.session', '{"room":5}');
  expect(readSession(tab)).toBeNull();
  tab.setItem('fermata.meet.session', '{{');
  expect(readSession(tab)).toBeNull();
  writePrefs(tab, { name: 'Ana' });
  expect(readPrefs(tab)).toEqual({ ...noPrefs, name: 'Ana' });
});

it('works without any storage', () => {
  expect(readPrefs(null)).toEqual(noPrefs);
  expect(identityFor(null, 'a', 'Ana')).toContain('ana-');
});
