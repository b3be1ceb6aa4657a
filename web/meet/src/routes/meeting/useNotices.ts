import { type RemoteParticipant, RoomEvent } from 'livekit-client';
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Call } from '../../call/call';
import { t } from '../../texts';

export interface Notice {
  id: number;
  text: string;
}

/** How long a notice stays, milliseconds. */
const SHOWN_MS = 4500;
const NOTICES_MAX = 3;
/** In larger rooms people come and go all the time; nobody wants to be told. */
const ANNOUNCED_UP_TO = 12;

/** Short messages that go away by themselves; people coming and going among them. */
export function useNotices(call: Call): [Notice[], (text: string) => void] {
  const [notices, setNotices] = useState<Notice[]>([]);
  const next = useRef(0);

  const tell = useCallback((text: string) => {
    const id = next.current++;
    setNotices((now) => [...now.filter((n) => n.text !== text), { id, text }].slice(-NOTICES_MAX));
    setTimeout(() => setNotices((now) => now.filter((n) => n.id !== id)), SHOWN_MS);
  }, []);

  useEffect(() => {
    const { room } = call;
    const few = () => room.remoteParticipants.size <= ANNOUNCED_UP_TO;
    const came = (p: RemoteParticipant) => few() && tell(t.room.joined(p.name || p.identity));
    const left = (p: RemoteParticipant) => few() && tell(t.room.left(p.name || p.identity));
    const back = () => tell(t.state.reconnected);
    room.on(RoomEvent.ParticipantConnected, came);
    room.on(RoomEvent.ParticipantDisconnected, left);
    room.on(RoomEvent.Reconnected, back);
    return () => {
      room.off(RoomEvent.ParticipantConnected, came);
      room.off(RoomEvent.ParticipantDisconnected, left);
      room.off(RoomEvent.Reconnected, back);
    };
  }, [call, tell]);

  return [notices, tell];
}
