import { ConnectionState } from 'livekit-client';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Call } from '../../call/call';
import { screenOffered } from '../../call/devices';
import { isBroken } from '../../call/watch';
import { Button } from '../../components/Button';
import { Icon, Logo } from '../../components/Icon';
import { Sound } from '../../components/Video';
import { useShortcuts } from '../../hooks/useShortcuts';
import { inviteLink } from '../../lib/link';
import { changeSession, tabStore } from '../../lib/memory';
import { clock } from '../../lib/people';
import { t } from '../../texts';
import { ChatPanel } from './ChatPanel';
import { Controls } from './Controls';
import { HelpDialog } from './HelpDialog';
import { InviteDialog } from './InviteDialog';
import css from './Meeting.module.css';
import { PeoplePanel } from './PeoplePanel';
import { SettingsDialog } from './SettingsDialog';
import { Stage } from './Stage';
import { useMediaSwitches } from './useMediaSwitches';
import { useNotices } from './useNotices';

interface Props {
  call: Call;
  /** Why own tracks could not be published at the entry. */
  faults: unknown[];
  onLeave: () => void;
}

type PanelName = 'chat' | 'people' | null;

export function Meeting({ call, faults, onLeave }: Props) {
  const picture = useSyncExternalStore(call.watch.subscribe, call.watch.current);
  const messages = useSyncExternalStore(call.chat.subscribe, call.chat.current);
  const [panel, setPanel] = useState<PanelName>(null);
  const [dialog, setDialog] = useState<'settings' | 'help' | 'invite' | null>(null);
  const [notices, tell] = useNotices(call);
  const switches = useMediaSwitches(call, tell);
  const unread = useUnread(messages, panel === 'chat', tell);

  const { me } = picture;
  const micOn = Boolean(me.microphone && !me.microphone.muted);
  const cameraOn = Boolean(me.camera && !me.camera.muted);
  const connected = picture.state === ConnectionState.Connected;
  useEffect(() => {
    // While a connection ends, tracks vanish one by one; that is nobody's wish to be kept.
    if (connected) changeSession(tabStore(), { micOn, cameraOn });
  }, [connected, micOn, cameraOn]);
  useEffect(() => {
    if (faults.length) tell(t.state.publishFailed);
  }, [faults, tell]);

  const [invited, setInvited] = useState(false);
  const link = inviteLink(window.location.origin, call.room.name);
  const invite = useCallback(async () => {
    try {
      await navigator.clipboard.writeText(link);
      setInvited(true);
      setTimeout(() => setInvited(false), 2500);
      tell(t.controls.invited);
    } catch {
      // Without HTTPS browsers keep the clipboard to themselves.
      setDialog('invite');
    }
  }, [link, tell]);

  const toggle = (name: PanelName) => setPanel((now) => (now === name ? null : name));
  useShortcuts({
    m: switches.mic,
    v: switches.camera,
    s: switches.screen,
    c: () => toggle('chat'),
    p: () => toggle('people'),
    i: () => void invite(),
    '?': () => setDialog('help'),
    escape: () => setPanel(null),
  });

  return (
    <div
      className={css.page}
      data-testid="meeting"
      data-state={picture.state}
      data-room={picture.name}
    >
      <header className={css.top}>
        <Logo size={24} />
        <h1 className={css.room} title={picture.name} data-testid="room-name">
          {picture.name}
        </h1>
        <p className={css.facts}>
          <Elapsed since={call.startedAt} />
          <span data-testid="people-count" data-count={picture.people.length}>
            {t.room.people(picture.people.length)}
          </span>
        </p>
        <span className={css.spring} />
        <Button
          kind="quiet"
          onClick={() => void invite()}
          data-testid="invite"
          aria-label={t.controls.invite}
        >
          <Icon name={invited ? 'check' : 'link'} size={20} />
          <span className={css.wideOnly}>{invited ? t.controls.invited : t.controls.invite}</span>
        </Button>
        <Button
          kind="quiet"
          icon
          aria-label={t.controls.help}
          title={`${t.controls.help} (?)`}
          data-testid="help"
          onClick={() => setDialog('help')}
        >
          <Icon name="help" size={20} />
        </Button>
      </header>

      {isBroken(picture.state) && (
        <p className={css.banner} role="alert" data-testid="reconnecting">
          <span className={css.spinner} />
          {t.state.reconnecting}
        </p>
      )}
      {!picture.canPlayAudio && (
        <div className={css.banner} role="alert" data-testid="playback-blocked">
          <Icon name="sound" size={18} />
          {t.state.playback}
          <Button
            kind="primary"
            data-testid="start-audio"
            onClick={() => void call.room.startAudio()}
          >
            {t.state.playbackButton}
          </Button>
        </div>
      )}

      <main className={css.middle}>
        <Stage people={picture.people} />
        {panel === 'chat' && (
          <ChatPanel
            messages={messages}
            canSend={picture.canSendData}
            onSend={(text) => call.chat.send(text)}
            onClose={() => setPanel(null)}
          />
        )}
        {panel === 'people' && (
          <PeoplePanel
            people={picture.people}
            onInvite={() => void invite()}
            onClose={() => setPanel(null)}
          />
        )}
        {picture.people.length === 1 && panel === null && <Alone onInvite={() => void invite()} />}
        <div className={css.notices} role="status" data-testid="notices">
          {notices.map((n) => (
            <p key={n.id}>{n.text}</p>
          ))}
        </div>
      </main>

      <Controls
        micOn={micOn}
        cameraOn={cameraOn}
        sharing={Boolean(me.screen)}
        canPublish={picture.canPublish}
        canShare={screenOffered()}
        busy={switches.busy}
        panel={panel}
        unread={unread}
        onMic={switches.mic}
        onCamera={switches.camera}
        onScreen={switches.screen}
        onChat={() => toggle('chat')}
        onPeople={() => toggle('people')}
        onSettings={() => setDialog('settings')}
        onLeave={onLeave}
      />

      {picture.people
        .filter((p) => !p.isLocal)
        .flatMap((p) => [p.microphone, p.screenAudio].map((m) => ({ p, m })))
        .map(({ p, m }) => m?.track && <Sound key={m.sid} track={m.track} identity={p.identity} />)}

      {dialog === 'settings' && (
        <SettingsDialog
          call={call}
          canPublish={picture.canPublish}
          tell={tell}
          onClose={() => setDialog(null)}
        />
      )}
      {dialog === 'invite' && <InviteDialog link={link} onClose={() => setDialog(null)} />}
      {dialog === 'help' && <HelpDialog onClose={() => setDialog(null)} />}
    </div>
  );
}

function Alone({ onInvite }: { onInvite: () => void }) {
  return (
    <div className={css.alone} data-testid="alone">
      <p>
        <strong>{t.room.alone}</strong> {t.room.aloneHint}
      </p>
      <Button kind="primary" onClick={onInvite}>
        <Icon name="link" size={18} />
        {t.controls.invite}
      </Button>
    </div>
  );
}

function Elapsed({ since }: { since: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return <time className={css.clock}>{clock(now - since)}</time>;
}

/** Counts what came while the chat was closed, and tells of the newest. */
function useUnread(
  messages: Call['chat'] extends { current: () => infer M } ? M : never,
  open: boolean,
  tell: (text: string) => void,
): number {
  const [seen, setSeen] = useState('');
  const told = useRef('');
  const last = messages[messages.length - 1];
  useEffect(() => {
    if (!last) return;
    if (open) setSeen(last.id);
    else if (!last.isLocal && told.current !== last.id) tell(t.chat.from(last.name));
    told.current = last.id;
  }, [last, open, tell]);
  if (open) return 0;
  const from = messages.findIndex((m) => m.id === seen);
  return messages.slice(from + 1).filter((m) => !m.isLocal).length;
}
