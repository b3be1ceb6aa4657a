/** Which screen is shown, and the way between them: lobby, meeting, ended. */
import { type LocalTrack, RoomEvent } from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import { type Call, closeCall, enterRoom, publishAll, stopAll } from './call/call';
import { openDevice } from './hooks/usePreview';
import { type Ending, endingFor } from './lib/ending';
import { type Access, addressFor, type Link, parseLink, type Role } from './lib/link';
import {
  browserStore,
  changeSession,
  identityFor,
  readPrefs,
  readSession,
  tabStore,
  writePrefs,
  writeSession,
} from './lib/memory';
import { failure, type Problem, ProblemError } from './lib/refusal';
import { Ended } from './routes/ended/Ended';
import { Lobby } from './routes/lobby/Lobby';
import { Returning } from './routes/lobby/Returning';
import { Meeting } from './routes/meeting/Meeting';
import { t } from './texts';

/** What the lobby hands over. */
export interface JoinWish {
  room: string;
  name: string;
  role: Role;
  access: Access | null;
  cameraOn: boolean;
  micOn: boolean;
  /** Perhaps still being started. */
  tracks: Promise<LocalTrack>[];
  /** Be somebody new instead of who one was in this tab. */
  freshIdentity?: boolean;
}

type Screen =
  | { at: 'lobby'; problem: Problem | null; joining: boolean }
  | { at: 'returning'; room: string }
  | { at: 'meeting'; call: Call; faults: unknown[] }
  | { at: 'ended'; ending: Ending; lasted: number };

/** How long a page that was asked to go may take, milliseconds. */
const UNLOAD_MS = 2000;

/** The link is read once; its credentials then leave the address bar and stay with the tab. */
function readLink(): Link {
  const link = parseLink(window.location.href);
  const session = readSession(tabStore());
  const same = session !== null && link.room === session.room;
  if (link.access) {
    const url = new URL(window.location.href);
    url.hash = '';
    const address = link.room ? addressFor(url.href, link.room) : url.pathname + url.search;
    window.history.replaceState(null, '', address);
    writeSession(tabStore(), {
      room: link.room,
      name: link.name,
      role: link.role,
      access: link.access,
      inRoom: false,
      cameraOn: true,
      micOn: true,
    });
    return link;
  }
  if (!same) return link;
  return {
    ...link,
    name: link.name || session.name,
    role: session.role,
    access: session.access,
  };
}

export function App() {
  const [link, setLink] = useState(readLink);
  const [screen, setScreen] = useState<Screen>(() => {
    const session = readSession(tabStore());
    return session?.inRoom && session.room === link.room
      ? { at: 'returning', room: session.room }
      : { at: 'lobby', problem: null, joining: false };
  });
  const { connections } = link;
  const call = useRef<Call | null>(null);
  const unloading = useRef(false);

  useEffect(() => {
    // The media client leaves the room when the page goes away. That is no leaving for good: a reload
    // comes back. Registered at the start, so that it runs before the client's own listeners.
    const going = () => {
      unloading.current = true;
    };
    const shown = (event: PageTransitionEvent) => event.persisted && window.location.reload();
    window.addEventListener('beforeunload', going);
    window.addEventListener('pagehide', going);
    window.addEventListener('pageshow', shown);
    return () => {
      window.removeEventListener('beforeunload', going);
      window.removeEventListener('pagehide', going);
      window.removeEventListener('pageshow', shown);
    };
  }, []);

  const end = useCallback((ending: Ending) => {
    const ended = call.current;
    if (!ended) return;
    call.current = null;
    closeCall(ended);
    const show = () => setScreen({ at: 'ended', ending, lasted: Date.now() - ended.startedAt });
    // A page on its way out keeps its session; it shows the end only if it stays after all.
    if (unloading.current) {
      setTimeout(show, UNLOAD_MS);
      return;
    }
    changeSession(tabStore(), { inRoom: false });
    show();
  }, []);

  const join = useCallback(
    async (wish: JoinWish) => {
      const { room, name, role, access, cameraOn, micOn } = wish;
      setScreen((s) => (s.at === 'lobby' ? { ...s, joining: true, problem: null } : s));
      // Back in the lobby, the form is as it was.
      setLink((l) => ({ ...l, room, name, role, access }));
      const tab = tabStore();
      const identity = identityFor(tab, room, name, wish.freshIdentity);
      writePrefs(browserStore(), { name });
      writeSession(tab, { room, name, role, access, cameraOn, micOn, inRoom: false });
      try {
        const entry = { room, name, role, access, identity };
        const entered = await enterRoom(entry, readPrefs(browserStore()), connections);
        call.current = entered;
        entered.room.once(RoomEvent.Disconnected, (reason) => end(endingFor(reason)));
        const opened = entered.room.name || room;
        changeSession(tab, { inRoom: true, room: opened });
        window.history.replaceState(null, '', addressFor(window.location.href, opened));
        const mayPublish = entered.room.localParticipant.permissions?.canPublish ?? true;
        if (!mayPublish) stopAll(wish.tracks);
        setScreen({ at: 'meeting', call: entered, faults: [] });
        const faults = mayPublish ? await publishAll(entered, wish.tracks) : [];
        if (faults.length) setScreen((s) => (s.at === 'meeting' ? { ...s, faults } : s));
      } catch (error) {
        stopAll(wish.tracks);
        const problem =
          error instanceof ProblemError ? error.problem : failure('unknown', String(error));
        setScreen({ at: 'lobby', problem, joining: false });
      }
    },
    [end, connections],
  );

  const comeBack = useCallback(
    async (freshIdentity = false) => {
      const session = readSession(tabStore());
      if (!session) return setScreen({ at: 'lobby', problem: null, joining: false });
      setScreen({ at: 'returning', room: session.room });
      const prefs = readPrefs(browserStore());
      const wanted = session.role === 'anchor' ? session : { cameraOn: false, micOn: false };
      const tracks = [
        ...(wanted.micOn ? [openDevice('microphone', prefs.micId)] : []),
        ...(wanted.cameraOn ? [openDevice('camera', prefs.cameraId)] : []),
      ];
      await join({ ...session, tracks, freshIdentity });
    },
    [join],
  );

  const returned = useRef(false);
  useEffect(() => {
    // A reload in the middle of a call comes back without asking, once.
    if (screen.at !== 'returning' || returned.current) return;
    returned.current = true;
    void comeBack();
  }, [screen.at, comeBack]);

  useEffect(() => {
    const room = screen.at === 'meeting' ? screen.call.room.name : '';
    document.title = room ? `${room} · ${t.product}` : t.product;
  }, [screen]);

  const leave = useCallback(() => end(endingFor(1)), [end]);

  switch (screen.at) {
    case 'lobby':
      return (
        <Lobby
          link={link}
          problem={screen.problem}
          joining={screen.joining}
          onJoin={join}
          onDismiss={() => setScreen({ at: 'lobby', problem: null, joining: false })}
        />
      );
    case 'returning':
      return <Returning room={screen.room} />;
    case 'meeting':
      return <Meeting call={screen.call} faults={screen.faults} onLeave={leave} />;
    case 'ended':
      return (
        <Ended
          ending={screen.ending}
          lasted={screen.lasted}
          onRejoin={() => void comeBack()}
          onRejoinAsNew={() => void comeBack(true)}
          onLobby={() => setScreen({ at: 'lobby', problem: null, joining: false })}
        />
      );
  }
}
