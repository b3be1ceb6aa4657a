/** Initials, colours and times: small things that people see, computed from what they are called. */

/** One or two letters for a tile without a picture. */
export function initials(name: string): string {
  const words = name
    .trim()
    .split(/[\s._-]+/u)
    .filter(Boolean);
  const first = [...(words[0] ?? '?')][0] ?? '?';
  const last = words.length > 1 ? ([...(words[words.length - 1] as string)][0] ?? '') : '';
  return (first + last).toLocaleUpperCase();
}

/** A steady hue for an identity, degrees 0 to 359. */
export function hueOf(identity: string): number {
  let hash = 2166136261;
  for (const char of identity) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16777619);
  return (hash >>> 0) % 360;
}

/** `4:05` or `1:04:05`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((n, i) => (i ? String(n).padStart(2, '0') : String(n))).join(':');
}

export interface TextPart {
  text: string;
  /** Set when the part is a web address. */
  href: string | null;
}

/** Splits a message into text and web addresses. Only http and https become links. */
export function linkify(message: string): TextPart[] {
  const parts: TextPart[] = [];
  let at = 0;
  for (const match of message.matchAll(/https?:\/\/[^\s<>"']+/gi)) {
    const address = match[0].replace(/[.,;:!?)\]}]+$/, '');
    if (!URL.canParse(address)) continue;
    if (match.index > at) parts.push({ text: message.slice(at, match.index), href: null });
    parts.push({ text: address, href: address });
    at = match.index + address.length;
  }
  if (at < message.length) parts.push({ text: message.slice(at), href: null });
  return parts;
}
