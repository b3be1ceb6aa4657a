import { hueOf, initials } from '../lib/people';
import css from './Avatar.module.css';

/** Initials on a colour of one's own, for when there is no picture. */
export function Avatar({
  identity,
  name,
  small,
}: {
  identity: string;
  name: string;
  small?: boolean;
}) {
  const style = { '--hue': hueOf(identity) } as React.CSSProperties;
  return (
    <span
      className={small ? `${css.avatar} ${css.small}` : css.avatar}
      style={style}
      aria-hidden="true"
    >
      {initials(name)}
    </span>
  );
}
