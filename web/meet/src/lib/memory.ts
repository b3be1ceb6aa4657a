/**
 * What the page remembers. Per tab: who one is and whether one is in a room, so that a reload comes
 * back as the same person while a second tab is somebody else. Per browser: name and devices.
 */
import type { Access, Role } from './link';

export interface Prefs {
  name: string;
  cameraOn: boolean;
  micOn: boolean;
  cameraId: string;
  micId: string;
  speakerId: string;
}

/** What is needed to come back after a reload. */
export interface Session {
  room: string;
  name: string;
  role: Role;
  access: Access | null;
  /** In a room when last seen: come back without asking. */
  inRoom: boolean;
  cameraOn: boolean;
  micOn: boolean;
}

const PREFS = 'fermata.meet.prefs';
const SESSION = 'fermata.meet.session';
const IDENTITY = 'fermata.meet.identity:';

export const noPrefs: Prefs = {
  name: '',
  cameraOn: true,
  micOn: true,
  cameraId: '',
  micId: '',
  speakerId: '',
};

/** The part of the browser's storage that is needed here. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

export function readPrefs(store: Store | null): Prefs {
  return { ...noPrefs, ...read<Partial<Prefs>>(store, PREFS) };
}

export function writePrefs(store: Store | null, change: Partial<Prefs>): void {
  write(store, PREFS, { ...readPrefs(store), ...change });
}

export function readSession(store: Store | null): Session | null {
  const session = read<Partial<Session>>(store, SESSION);
  if (typeof session?.room !== 'string' || typeof session.name !== 'string') return null;
  return {
    room: session.room,
    name: session.name,
    role: session.role === 'audience' ? 'audience' : 'anchor',
    access: session.access ?? null,
    inRoom: session.inRoom === true,
    cameraOn: session.cameraOn === true,
    micOn: session.micOn === true,
  };
}

export function writeSession(store: Store | null, session: Session): void {
  write(store, SESSION, session);
}

export function changeSession(store: Store | null, change: Partial<Session>): void {
  const session = readSession(store);
  if (session) write(store, SESSION, { ...session, ...change });
}

/** The identity of this tab in a room; made at the first call. */
export function identityFor(
  store: Store | null,
  room: string,
  name: string,
  fresh = false,
): string {
  const kept = fresh ? null : read<string>(store, IDENTITY + room);
  if (typeof kept === 'string' && kept) return kept;
  const made = makeIdentity(name);
  write(store, IDENTITY + room, made);
  return made;
}

/** A short readable stem of the name and 40 random bits. At most 32 bytes. */
export function makeIdentity(name: string): string {
  const stem = name
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const random = crypto.getRandomValues(new Uint8Array(5));
  const tail = [...random].map((b) => b.toString(16).padStart(2, '0')).join('');
  return `${stem.slice(0, 20) || 'guest'}-${tail}`;
}

function read<T>(store: Store | null, key: string): T | null {
  try {
    return JSON.parse(store?.getItem(key) ?? 'null') as T | null;
  } catch {
    return null;
  }
}

function write(store: Store | null, key: string, value: unknown): void {
  try {
    store?.setItem(key, JSON.stringify(value));
  } catch {
    // Storage may be full or forbidden; the page then forgets, and works.
  }
}

/** Storage may be forbidden altogether, and then even naming it throws. */
export function tabStore(): Store | null {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}

export function browserStore(): Store | null {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}
