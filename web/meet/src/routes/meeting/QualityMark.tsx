import type { Quality } from '../../call/watch';
import { t } from '../../texts';
import css from './QualityMark.module.css';

/** Three bars for how well somebody is connected. */
export function QualityMark({ quality }: { quality: Quality }) {
  if (quality === 'unknown') return null;
  const label = t.room.quality[quality];
  return (
    <span
      className={`${css.mark} ${css[quality]}`}
      role="img"
      aria-label={label}
      title={label}
      data-testid="quality-badge"
      data-quality={quality}
    >
      <i />
      <i />
      <i />
    </span>
  );
}
