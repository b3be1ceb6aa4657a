import { memo, useRef } from 'react';
import { Avatar } from '../../components/Avatar';
import { Icon } from '../../components/Icon';
import { Video } from '../../components/Video';
import type { Rect } from '../../lib/layout';
import { hueOf } from '../../lib/people';
import { t } from '../../texts';
import type { Item } from './items';
import { QualityMark } from './QualityMark';
import css from './Tile.module.css';

interface Props {
  item: Item;
  rect: Rect;
  focused: boolean;
  onPin: (key: string) => void;
}

/** One person or one shared screen. */
export const Tile = memo(function Tile({ item, rect, focused, onPin }: Props) {
  const { person, source, media } = item;
  const ref = useRef<HTMLElement>(null);
  const screen = source === 'screen_share';
  const own = person.isLocal ? `${person.name} ${t.room.youSuffix}` : person.name;
  const label = screen ? (person.isLocal ? t.room.yourScreen : t.room.screenOf(person.name)) : own;
  const shown = media?.track && !media.muted;
  const micOff = !screen && (!person.microphone || person.microphone.muted);
  const speaking = !screen && person.speaking && !micOff;
  const style = {
    width: rect.width,
    height: rect.height,
    transform: `translate(${rect.x}px, ${rect.y}px)`,
    '--hue': hueOf(person.identity),
  } as React.CSSProperties;
  return (
    <article
      ref={ref}
      className={`${css.tile} ${speaking ? css.speaking : ''}`}
      style={style}
      aria-label={[label, speaking && t.room.speaking, micOff && t.room.muted]
        .filter(Boolean)
        .join(', ')}
      data-testid="tile"
      data-identity={person.identity}
      data-name={person.name}
      data-source={source}
      data-local={person.isLocal}
      data-muted={micOff}
      data-video={Boolean(shown)}
      data-speaking={speaking}
      data-quality={person.quality}
      data-focused={focused}
    >
      <Avatar identity={person.identity} name={person.name} />
      {shown && media.track && (
        <Video
          track={media.track}
          mirrored={person.isLocal && !screen}
          whole={screen}
          label={label}
        />
      )}
      {media?.paused && <p className={css.paused}>{t.room.paused}</p>}
      <footer className={css.label}>
        {micOff && (
          <span className={css.micOff} title={t.room.muted} data-testid="muted-badge">
            <Icon name="micOff" size={15} />
          </span>
        )}
        {screen && <Icon name="screen" size={15} />}
        <span className={css.name}>{label}</span>
        {!screen && <QualityMark quality={person.quality} />}
      </footer>
      <div className={css.tools}>
        {screen && (
          <button
            type="button"
            aria-label={t.room.fullscreen}
            title={t.room.fullscreen}
            onClick={() => void toggleFullscreen(ref.current)}
          >
            <Icon name="expand" size={18} />
          </button>
        )}
        <button
          type="button"
          aria-label={focused ? t.room.unpin : t.room.pin(label)}
          title={focused ? t.room.unpin : t.room.pin(label)}
          aria-pressed={focused}
          data-testid="pin"
          onClick={() => onPin(item.key)}
        >
          <Icon name="pin" size={18} />
        </button>
      </div>
    </article>
  );
});

async function toggleFullscreen(element: HTMLElement | null): Promise<void> {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await element?.requestFullscreen();
  } catch {
    // The browser may not allow it; nothing is lost.
  }
}
