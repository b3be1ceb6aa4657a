// Puts people and screens on the stage and checks which one is large.
import { expect, it } from 'vitest';
import type { Media, Person } from '../../call/watch';
import { focusOf, itemsOf } from './items';

const media: Media = { sid: 'TR_1', track: undefined, muted: false, paused: false };

function person(identity: string, more: Partial<Person> = {}): Person {
  return {
    identity,
    name: identity,
    isLocal: false,
    joinedAt: 0,
    speaking: false,
    lastSpokeAt: 0,
    quality: 'unknown',
    microphone: null,
    camera: null,
    screen: null,
    screenAudio: null,
    ...more,
  };
}

const people = [
  person('me', { isLocal: true, screen: media }),
  person('ana'),
  person('ben', { screen: media }),
];

it('shows screens first, then people in order', () => {
  const keys = itemsOf(people, ['ben', 'me', 'gone', 'ana']).map((i) => i.key);
  expect(keys).toEqual([
    'screen_share:ben',
    'screen_share:me',
    'camera:ben',
    'camera:me',
    'camera:ana',
  ]);
});

it('gives the stage to what was pinned, else to the screen of another', () => {
  const items = itemsOf(people, ['me', 'ana', 'ben']);
  expect(focusOf(items, null)).toBe('screen_share:ben');
  expect(focusOf(items, 'camera:ana')).toBe('camera:ana');
  expect(focusOf(items, 'camera:gone')).toBe('screen_share:ben');
  expect(focusOf(itemsOf(people.slice(0, 2), ['me', 'ana']), null)).toBeNull();
});
