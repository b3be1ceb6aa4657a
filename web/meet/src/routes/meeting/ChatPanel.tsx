import {
  type FormEvent,
  type KeyboardEvent,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react';
import { MESSAGE_MAX, type Message } from '../../call/chat';
import { Button } from '../../components/Button';
import { Icon } from '../../components/Icon';
import { linkify } from '../../lib/people';
import { t } from '../../texts';
import css from './ChatPanel.module.css';
import { Panel } from './Panel';

interface Props {
  messages: readonly Message[];
  canSend: boolean;
  onSend: (text: string) => Promise<void>;
  onClose: () => void;
}

/** Messages of one sender within this time stand together, milliseconds. */
const TOGETHER_MS = 3 * 60_000;
const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

export function ChatPanel({ messages, canSend, onSend, onClose }: Props) {
  const [text, setText] = useState('');
  const [failed, setFailed] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);

  useEffect(() => field.current?.focus(), []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new message scrolls to the end.
  useLayoutEffect(() => {
    const element = list.current;
    if (element && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [messages]);

  const send = async (event?: FormEvent) => {
    event?.preventDefault();
    const body = text.trim();
    if (!body) return;
    atEnd.current = true;
    setText('');
    setFailed(false);
    try {
      await onSend(body);
    } catch {
      setText((now) => now || body);
      setFailed(true);
    }
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      void send();
    }
  };

  return (
    <Panel title={t.chat.title} onClose={onClose} testId="chat">
      <ol
        ref={list}
        className={css.list}
        aria-live="polite"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling list must be reachable by keyboard.
        tabIndex={0}
        aria-label={t.chat.title}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
        }}
      >
        {messages.length === 0 && (
          <li className={css.empty}>
            <strong>{t.chat.empty}</strong>
            {t.chat.emptyHint}
          </li>
        )}
        {messages.map((message, i) => (
          <Bubble
            key={`${message.identity} ${message.id}`}
            message={message}
            before={messages[i - 1]}
          />
        ))}
      </ol>
      {canSend ? (
        <form className={css.form} onSubmit={send}>
          {failed && (
            <p className={css.failed} role="alert">
              {t.chat.failed}
            </p>
          )}
          <textarea
            ref={field}
            rows={1}
            value={text}
            maxLength={MESSAGE_MAX}
            placeholder={t.chat.placeholder}
            aria-label={t.chat.placeholder}
            data-testid="chat-input"
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKey}
          />
          <Button
            type="submit"
            kind="primary"
            icon
            aria-label={t.chat.send}
            title={t.chat.send}
            disabled={!text.trim()}
            data-testid="chat-send"
          >
            <Icon name="send" size={18} />
          </Button>
        </form>
      ) : (
        <p className={css.noRight}>{t.chat.noRight}</p>
      )}
    </Panel>
  );
}

function Bubble({ message, before }: { message: Message; before: Message | undefined }) {
  const together = before?.identity === message.identity && message.at - before.at < TOGETHER_MS;
  return (
    <li
      className={`${css.message} ${message.isLocal ? css.own : ''}`}
      data-testid="chat-message"
      data-identity={message.identity}
    >
      {!together && (
        <p className={css.from}>
          {message.isLocal ? t.room.you : message.name} <time>{time.format(message.at)}</time>
        </p>
      )}
      <p className={css.text} data-testid="chat-text">
        {linkify(message.text).map((part, i) =>
          part.href ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: parts of one text never move.
            <a key={i} href={part.href} target="_blank" rel="noopener noreferrer">
              {part.text}
            </a>
          ) : (
            part.text
          ),
        )}
      </p>
    </li>
  );
}
