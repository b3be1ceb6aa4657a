/**
 * The room's chat: LiveKit's text streams on topic `lk.chat`, as its own components use them.
 * Older clients send a JSON data packet on `lk-chat-topic` instead; those are read too, never sent.
 */
import {
  type RemoteParticipant,
  type Room,
  RoomEvent,
  type TextStreamReader,
} from 'livekit-client';
import { t } from '../texts';

export const CHAT_TOPIC = 'lk.chat';
const LEGACY_TOPIC = 'lk-chat-topic';

/** Longest message sent or shown, characters; what is longer is cut. */
export const MESSAGE_MAX = 4000;
/** Messages kept; the oldest go first. */
const MESSAGES_MAX = 500;
/** Messages that may be arriving at once from all; further ones are dropped. */
const ARRIVING_MAX = 64;

export interface Message {
  id: string;
  identity: string;
  /** As the sender was called when it came. */
  name: string;
  text: string;
  /** Milliseconds since the epoch, by this machine's clock. */
  at: number;
  isLocal: boolean;
}

export class ChatLog {
  private messages: readonly Message[] = [];
  private readonly listeners = new Set<() => void>();
  private arriving = 0;

  constructor(private readonly room: Room) {
    room.registerTextStreamHandler(
      CHAT_TOPIC,
      (reader, from) => void this.receive(reader, from.identity),
    );
    room.on(RoomEvent.DataReceived, this.receiveLegacy);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  current = (): readonly Message[] => this.messages;

  async send(text: string): Promise<void> {
    const body = text.trim().slice(0, MESSAGE_MAX);
    if (!body) return;
    const me = this.room.localParticipant;
    const info = await me.sendText(body, { topic: CHAT_TOPIC });
    this.add({ id: info.id, identity: me.identity, text: body, isLocal: true });
  }

  close(): void {
    this.room.unregisterTextStreamHandler(CHAT_TOPIC);
    this.room.off(RoomEvent.DataReceived, this.receiveLegacy);
    this.listeners.clear();
  }

  private async receive(reader: TextStreamReader, identity: string): Promise<void> {
    if (this.arriving >= ARRIVING_MAX) return;
    this.arriving += 1;
    let text = '';
    try {
      for await (const chunk of reader) {
        text += chunk;
        if (text.length > MESSAGE_MAX) {
          text = text.slice(0, MESSAGE_MAX) + t.chat.truncated;
          break;
        }
      }
    } catch {
      // The sender left in the middle; what came is shown.
    } finally {
      this.arriving -= 1;
    }
    if (text) this.add({ id: reader.info.id, identity, text, isLocal: false });
  }

  private receiveLegacy = (
    payload: Uint8Array,
    from?: RemoteParticipant,
    _kind?: unknown,
    topic?: string,
  ): void => {
    if (topic !== LEGACY_TOPIC || !from || payload.length > MESSAGE_MAX * 4) return;
    try {
      const body = JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown>;
      // Clients that send both ways mark the copy.
      if (body.ignoreLegacy === true || typeof body.message !== 'string') return;
      const id = typeof body.id === 'string' ? body.id : `${Date.now()}-${Math.random()}`;
      const text = body.message.slice(0, MESSAGE_MAX);
      this.add({ id, identity: from.identity, text, isLocal: false });
    } catch {
      // Not a chat message.
    }
  };

  private add(message: Omit<Message, 'at' | 'name'>): void {
    const known = (m: Message) => m.id === message.id && m.identity === message.identity;
    if (this.messages.some(known)) return;
    const sender = this.room.getParticipantByIdentity(message.identity);
    const full = { ...message, name: sender?.name || message.identity, at: Date.now() };
    this.messages = [...this.messages, full].slice(-MESSAGES_MAX);
    for (const listener of this.listeners) listener();
  }
}
