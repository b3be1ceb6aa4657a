/**
 * In which order people stand in the grid.
 * People keep their places; whoever speaks is brought to the first page when not on it.
 */

export interface Placed {
  identity: string;
  isLocal: boolean;
  /** Milliseconds since the epoch; 0 when unknown. */
  joinedAt: number;
  speaking: boolean;
  /** Milliseconds since the epoch; 0 when never. */
  lastSpokeAt: number;
}

/**
 * Returns identities in order, given the order of last time.
 * Newcomers go to the end by time of entry; oneself comes first and is never moved away.
 */
export function placePeople(
  before: readonly string[],
  people: readonly Placed[],
  firstPage: number,
): string[] {
  const byId = new Map(people.map((p) => [p.identity, p]));
  const kept = before.filter((id) => byId.has(id));
  const known = new Set(kept);
  const fresh = people
    .filter((p) => !known.has(p.identity))
    .sort((a, b) => a.joinedAt - b.joinedAt || (a.identity < b.identity ? -1 : 1))
    .map((p) => p.identity);
  const own = people.find((p) => p.isLocal)?.identity;
  const order = [...kept, ...fresh].filter((id) => id !== own);
  if (own !== undefined) order.unshift(own);
  return bringSpeakers(order, byId, firstPage);
}

function bringSpeakers(order: string[], byId: Map<string, Placed>, firstPage: number): string[] {
  const hidden = order.slice(firstPage).filter((id) => byId.get(id)?.speaking);
  for (const id of hidden) {
    // The one who has been silent longest gives up the place.
    let give = -1;
    let oldest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < Math.min(firstPage, order.length); i += 1) {
      const p = byId.get(order[i] as string);
      if (!p || p.isLocal || p.speaking) continue;
      if (p.lastSpokeAt < oldest) {
        oldest = p.lastSpokeAt;
        give = i;
      }
    }
    if (give < 0) break;
    const from = order.indexOf(id);
    order[from] = order[give] as string;
    order[give] = id;
  }
  return order;
}
