import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { JoinWish } from '../../App';
import { Button } from '../../components/Button';
import { DeviceSelect } from '../../components/DeviceSelect';
import { Logo } from '../../components/Icon';
import { ProblemBox } from '../../components/ProblemBox';
import { TextField } from '../../components/TextField';
import { useDevices } from '../../hooks/useDevices';
import { usePreview } from '../../hooks/usePreview';
import { isDevelopment } from '../../lib/credentials';
import { type Access, isSdkAppId, type Link, serverUrl } from '../../lib/link';
import { browserStore, type Prefs, readPrefs, writePrefs } from '../../lib/memory';
import { failure, type Problem } from '../../lib/refusal';
import { t } from '../../texts';
import { Advanced, type AdvancedFields, noFields } from './Advanced';
import css from './Lobby.module.css';
import { Preview } from './Preview';

interface Props {
  link: Link;
  problem: Problem | null;
  joining: boolean;
  onJoin: (wish: JoinWish) => void;
  onDismiss: () => void;
}

export function Lobby({ link, problem, joining, onJoin, onDismiss }: Props) {
  const [prefs, setPrefs] = useState(() => readPrefs(browserStore()));
  const [name, setName] = useState(link.name || prefs.name);
  const [room, setRoom] = useState(link.room);
  const [viewer, setViewer] = useState(link.role === 'audience');
  const [fields, setFields] = useState<AdvancedFields>(() => fieldsOf(link.access));
  const [faults, setFaults] = useState({ name: '', room: '' });
  const [ownProblem, setOwnProblem] = useState<Problem | null>(null);
  const development = useDevelopment();
  const byToken = link.access?.kind === 'token';
  const form = useRef<HTMLFormElement>(null);

  // While joining, the tracks belong to the call; if that fails, new ones are opened.
  const open = !viewer && !joining;
  const camera = usePreview('camera', prefs.cameraOn && open, prefs.cameraId);
  const microphone = usePreview('microphone', prefs.micOn && open, prefs.micId);
  const devices = useDevices(`${Boolean(camera.track)} ${Boolean(microphone.track)}`);

  const change = (part: Partial<Prefs>) => {
    setPrefs((p) => ({ ...p, ...part }));
    writePrefs(browserStore(), part);
  };

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (joining) return;
    // A token says itself who one is and which room it opens.
    const missing = {
      name: byToken || name.trim() ? '' : t.lobby.nameMissing,
      room: byToken || room.trim() ? '' : t.lobby.roomMissing,
    };
    setFaults(missing);
    setOwnProblem(null);
    if (missing.name || missing.room) {
      const field = missing.name ? 'name' : 'room';
      form.current?.querySelector<HTMLElement>(`[data-testid="${field}"]`)?.focus();
      return;
    }
    const access = link.access?.kind === 'token' ? link.access : accessOf(fields);
    if (!access && development === false) {
      setOwnProblem(failure('invitation_missing'));
      return;
    }
    const tracks = [microphone.take(), camera.take()].filter((track) => track !== null);
    onJoin({
      room: room.trim(),
      name: name.trim(),
      role: viewer ? 'audience' : 'anchor',
      access,
      cameraOn: prefs.cameraOn && !viewer,
      micOn: prefs.micOn && !viewer,
      tracks,
    });
  };

  const shown = problem ?? ownProblem;
  const host = otherHost(link.access);
  return (
    <div className={css.page} data-testid="lobby">
      <header className={css.brand}>
        <Logo size={32} />
        <strong>{t.product}</strong>
        <span>{t.tagline}</span>
      </header>
      <main className={css.main}>
        <Preview
          name={name}
          camera={camera}
          microphone={microphone}
          cameraOn={prefs.cameraOn && !viewer}
          micOn={prefs.micOn && !viewer}
          onCamera={(cameraOn) => change({ cameraOn })}
          onMic={(micOn) => change({ micOn })}
        />
        <form ref={form} className={css.card} onSubmit={submit} noValidate>
          <div className={css.intro}>
            <h1>{t.lobby.title}</h1>
            <p>{t.lobby.intro}</p>
          </div>
          {shown && (
            <ProblemBox
              problem={shown}
              onDismiss={() => {
                setOwnProblem(null);
                onDismiss();
              }}
            />
          )}
          <TextField
            label={t.lobby.name}
            testId="name"
            value={name}
            onChange={setName}
            fault={faults.name}
            placeholder={t.lobby.namePlaceholder}
            maxLength={80}
            autoComplete="name"
            disabled={byToken}
          />
          <TextField
            label={t.lobby.room}
            testId="room"
            value={room}
            onChange={setRoom}
            fault={faults.room}
            placeholder={t.lobby.roomPlaceholder}
            maxLength={256}
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            disabled={byToken}
          />
          {!viewer && (
            <div className={css.devices}>
              <DeviceSelect
                label={t.devices.camera}
                testId="camera-select"
                devices={devices.videoinput}
                value={prefs.cameraId}
                onChange={(cameraId) => change({ cameraId })}
              />
              <DeviceSelect
                label={t.devices.microphone}
                testId="mic-select"
                devices={devices.audioinput}
                value={prefs.micId}
                onChange={(micId) => change({ micId })}
              />
            </div>
          )}
          <Button type="submit" kind="primary" wide disabled={joining} data-testid="join">
            {joining ? t.lobby.joining : viewer ? t.lobby.joinAsViewer : t.lobby.join}
          </Button>
          {host && <p className={css.note}>{t.lobby.otherServer(host)}</p>}
          {!byToken && (
            <Advanced
              fields={fields}
              onFields={setFields}
              viewer={viewer}
              onViewer={setViewer}
              open={link.access?.kind === 'usersig'}
            />
          )}
          {development && !link.access && (
            <p className={css.note} data-testid="development">
              {t.lobby.development}
            </p>
          )}
        </form>
      </main>
    </div>
  );
}

/** Null while not known. */
function useDevelopment(): boolean | null {
  const [development, setDevelopment] = useState<boolean | null>(null);
  useEffect(() => {
    let current = true;
    void isDevelopment().then((is) => current && setDevelopment(is));
    return () => {
      current = false;
    };
  }, []);
  return development;
}

function fieldsOf(access: Access | null): AdvancedFields {
  if (access?.kind !== 'usersig') return noFields;
  const { sdkAppId, userId, userSig, privateMapKey } = access;
  return { sdkAppId: String(sdkAppId), userId, userSig, privateMapKey: privateMapKey ?? '' };
}

function accessOf(fields: AdvancedFields): Access | null {
  const sdkAppId = Number(fields.sdkAppId);
  const [userId, userSig] = [fields.userId.trim(), fields.userSig.trim()];
  if (!isSdkAppId(sdkAppId) || !userId || !userSig) return null;
  const privateMapKey = fields.privateMapKey.trim() || null;
  return { kind: 'usersig', sdkAppId, userId, userSig, privateMapKey };
}

/** The server's name when a link leads elsewhere than this page's own. */
function otherHost(access: Access | null): string {
  if (access?.kind !== 'token' || !access.url) return '';
  const address = serverUrl(access.url, window.location.origin);
  const host = address ? new URL(address).host : '';
  return host === window.location.host ? '' : host;
}
