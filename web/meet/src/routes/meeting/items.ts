/** What the stage shows: one item per person, and one more per shared screen. */
import type { Media, Person } from '../../call/watch';

export interface Item {
  key: string;
  source: 'camera' | 'screen_share';
  person: Person;
  media: Media | null;
}

export const keyOf = (identity: string, source: Item['source']): string => `${source}:${identity}`;

/** Screens first, then people in the given order. */
export function itemsOf(people: readonly Person[], order: readonly string[]): Item[] {
  const byId = new Map(people.map((p) => [p.identity, p]));
  const placed = order.flatMap((id) => byId.get(id) ?? []);
  const item = (person: Person, source: Item['source'], media: Media | null): Item => {
    return { key: keyOf(person.identity, source), source, person, media };
  };
  return [
    ...placed.flatMap((p) => (p.screen ? [item(p, 'screen_share', p.screen)] : [])),
    ...placed.map((p) => item(p, 'camera', p.camera)),
  ];
}

/** Pinned in place of an item: the wish to see the grid although somebody shares a screen. */
export const GRID = 'grid';

/** What takes the stage: what was pinned, else a screen that somebody else shares. */
export function focusOf(items: readonly Item[], pinned: string | null): string | null {
  if (pinned === GRID) return null;
  if (pinned && items.some((i) => i.key === pinned)) return pinned;
  return items.find((i) => i.source === 'screen_share' && !i.person.isLocal)?.key ?? null;
}
