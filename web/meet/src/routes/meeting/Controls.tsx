import { Icon, type IconName } from '../../components/Icon';
import { t } from '../../texts';
import css from './Controls.module.css';

export interface ControlState {
  micOn: boolean;
  cameraOn: boolean;
  sharing: boolean;
  canPublish: boolean;
  canShare: boolean;
  busy: boolean;
  panel: 'chat' | 'people' | null;
  unread: number;
}

interface Props extends ControlState {
  onMic: () => void;
  onCamera: () => void;
  onScreen: () => void;
  onChat: () => void;
  onPeople: () => void;
  onSettings: () => void;
  onLeave: () => void;
}

/** The bar at the foot: what one does to oneself, what one looks at, and the way out. */
export function Controls(p: Props) {
  return (
    <section className={css.bar} aria-label={t.room.controls}>
      {p.canPublish ? (
        <>
          <Control
            icon={p.micOn ? 'mic' : 'micOff'}
            label={p.micOn ? t.controls.mute : t.controls.unmute}
            hotkey="M"
            off={!p.micOn}
            busy={p.busy}
            onClick={p.onMic}
            testId="toggle-mic"
            on={p.micOn}
          />
          <Control
            icon={p.cameraOn ? 'camera' : 'cameraOff'}
            label={p.cameraOn ? t.controls.cameraOff : t.controls.cameraOn}
            hotkey="V"
            off={!p.cameraOn}
            busy={p.busy}
            onClick={p.onCamera}
            testId="toggle-camera"
            on={p.cameraOn}
          />
          {p.canShare && (
            <Control
              icon={p.sharing ? 'screenOff' : 'screen'}
              label={p.sharing ? t.controls.stopShare : t.controls.share}
              hotkey="S"
              active={p.sharing}
              busy={p.busy}
              onClick={p.onScreen}
              testId="toggle-screen"
              on={p.sharing}
            />
          )}
        </>
      ) : (
        <span className={css.viewer} data-testid="viewer-badge">
          {t.room.viewer}
        </span>
      )}
      <span className={css.gap} />
      <Control
        icon="chat"
        label={t.controls.chat}
        hotkey="C"
        active={p.panel === 'chat'}
        badge={p.unread}
        onClick={p.onChat}
        testId="toggle-chat"
        on={p.panel === 'chat'}
      />
      <Control
        icon="people"
        label={t.controls.people}
        hotkey="P"
        active={p.panel === 'people'}
        onClick={p.onPeople}
        testId="toggle-people"
        on={p.panel === 'people'}
      />
      <Control
        icon="settings"
        label={t.controls.settings}
        onClick={p.onSettings}
        testId="settings"
      />
      <span className={css.gap} />
      <button
        type="button"
        className={`${css.control} ${css.leave}`}
        aria-label={t.controls.leave}
        title={t.controls.leave}
        data-testid="leave"
        onClick={p.onLeave}
      >
        <Icon name="leave" size={26} />
      </button>
    </section>
  );
}

interface ControlProps {
  icon: IconName;
  label: string;
  hotkey?: string;
  /** Switched off, and shown as a warning. */
  off?: boolean;
  /** Switched on, and shown as chosen. */
  active?: boolean;
  /** For assistive technology and tests; absent on plain buttons. */
  on?: boolean;
  busy?: boolean;
  badge?: number;
  onClick: () => void;
  testId: string;
}

function Control({
  icon,
  label,
  hotkey,
  off,
  active,
  on,
  busy,
  badge,
  onClick,
  testId,
}: ControlProps) {
  const title = hotkey ? `${label} (${hotkey})` : label;
  const spoken = badge ? `${label}, ${t.controls.unread(badge)}` : label;
  const classes = [css.control, off && css.off, active && css.active];
  return (
    <button
      type="button"
      className={classes.filter(Boolean).join(' ')}
      aria-label={spoken}
      aria-keyshortcuts={hotkey}
      title={title}
      data-testid={testId}
      data-on={on}
      aria-busy={busy || undefined}
      onClick={onClick}
    >
      <Icon name={icon} />
      {badge ? (
        <span className={css.badge} data-testid="unread">
          {badge > 99 ? '99+' : badge}
        </span>
      ) : null}
    </button>
  );
}
