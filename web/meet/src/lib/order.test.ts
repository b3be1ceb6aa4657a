// Places people in a grid of pages and checks that nobody jumps without need.
import { expect, it } from 'vitest';
import { type Placed, placePeople } from './order';

function person(identity: string, more: Partial<Placed> = {}): Placed {
  return { identity, isLocal: false, joinedAt: 0, speaking: false, lastSpokeAt: 0, ...more };
}

it('puts oneself first and others by entry', () => {
  const people = [
    person('b', { joinedAt: 2 }),
    person('a', { joinedAt: 1 }),
    person('me', { isLocal: true, joinedAt: 9 }),
  ];
  expect(placePeople([], people, 9)).toEqual(['me', 'a', 'b']);
});

it('keeps places when somebody leaves or comes', () => {
  const people = [person('c'), person('a'), person('z', { joinedAt: 5 })];
  expect(placePeople(['c', 'b', 'a'], people, 9)).toEqual(['c', 'a', 'z']);
});

it('brings a speaker from a later page in place of the longest silent', () => {
  const people = [
    person('me', { isLocal: true }),
    person('a', { lastSpokeAt: 50 }),
    person('b', { lastSpokeAt: 10 }),
    person('c', { speaking: true, lastSpokeAt: 99 }),
  ];
  expect(placePeople(['me', 'a', 'b', 'c'], people, 3)).toEqual(['me', 'a', 'c', 'b']);
});

it('leaves all as it is when every visible person speaks', () => {
  const people = ['a', 'b', 'c'].map((id) => person(id, { speaking: true }));
  expect(placePeople(['a', 'b', 'c'], people, 2)).toEqual(['a', 'b', 'c']);
});
