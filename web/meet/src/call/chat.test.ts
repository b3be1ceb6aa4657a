// Gives a real, unconnected room older clients' chat packets and checks what the log keeps.
import { type RemoteParticipant, Room, RoomEvent } from 'livekit-client';
import { beforeEach, expect, it } from 'vitest';
import { ChatLog, MESSAGE_MAX } from './chat';

const ana = { identity: 'ana' } as RemoteParticipant;
let room: Room;
let chat: ChatLog;

beforeEach(() => {
  room = new Room();
  chat = new ChatLog(room);
});

function arrive(body: unknown, topic = 'lk-chat-topic', from: RemoteParticipant | undefined = ana) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  room.emit(RoomEvent.DataReceived, new TextEncoder().encode(text), from, undefined, topic);
}

it('keeps a message once, whoever sends it twice', () => {
  arrive({ id: '1', message: 'Hello' });
  arrive({ id: '1', message: 'Hello' });
  expect(chat.current().map((m) => [m.identity, m.name, m.text, m.isLocal])).toEqual([
    ['ana', 'ana', 'Hello', false],
  ]);
});

it.each([
  ['a copy of what also came as a stream', { id: '1', message: 'x', ignoreLegacy: true }],
  ['something without a message', { id: '1' }],
  ['rubbish', '{{'],
  ['too much', { id: '1', message: 'x'.repeat(MESSAGE_MAX * 5) }],
])('drops %s', (_what, body) => {
  arrive(body);
  expect(chat.current()).toEqual([]);
});

it('drops other topics and unknown senders', () => {
  arrive({ id: '1', message: 'x' }, 'other');
  room.emit(
    RoomEvent.DataReceived,
    new TextEncoder().encode('{"message":"x"}'),
    undefined,
    undefined,
    'lk-chat-topic',
  );
  expect(chat.current()).toEqual([]);
});

it('cuts long messages and forgets the oldest of many', () => {
  for (let i = 0; i < 600; i += 1)
    arrive({ id: String(i), message: `${i} ${'y'.repeat(MESSAGE_MAX)}` });
  expect(chat.current()).toHaveLength(500);
  expect(chat.current()[0]?.id).toBe('100');
  expect(chat.current()[0]?.text).toHaveLength(MESSAGE_MAX);
});

it('tells listeners until it is closed', () => {
  let told = 0;
  chat.subscribe(() => {
    told += 1;
  });
  arrive({ id: '1', message: 'x' });
  chat.close();
  arrive({ id: '2', message: 'x' });
  expect(told).toBe(1);
});
