// Checks the small computations behind tiles and messages.
import { expect, it } from 'vitest';
import { clock, hueOf, initials, linkify } from './people';

it.each([
  ['Ana Sørensen', 'AS'],
  ['ana', 'A'],
  ['jean-luc picard', 'JP'],
  ['李 明', '李明'],
  ['😀 smile', '😀S'],
  ['  ', '?'],
])('initials of "%s" are %s', (name, expected) => {
  expect(initials(name)).toBe(expected);
});

it('gives each identity one hue', () => {
  expect(hueOf('ana')).toBe(hueOf('ana'));
  for (const id of ['', 'ana', 'ben', '李']) expect(hueOf(id)).toBeLessThan(360);
});

it.each([
  [0, '0:00'],
  [65_000, '1:05'],
  [3_845_000, '1:04:05'],
  [-5, '0:00'],
])('%d ms is %s', (ms, expected) => {
  expect(clock(ms)).toBe(expected);
});

it('finds web addresses and nothing else', () => {
  expect(linkify('see https://a.example/x, or javascript:alert(1)')).toEqual([
    { text: 'see ', href: null },
    { text: 'https://a.example/x', href: 'https://a.example/x' },
    { text: ', or javascript:alert(1)', href: null },
  ]);
  expect(linkify('')).toEqual([]);
  expect(linkify('http://')).toEqual([{ text: 'http://', href: null }]);
});
