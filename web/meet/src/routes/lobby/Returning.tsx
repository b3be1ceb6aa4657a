import { Logo } from '../../components/Icon';
import { t } from '../../texts';
import css from './Lobby.module.css';

/** Shown for the moment that coming back takes. */
export function Returning({ room }: { room: string }) {
  return (
    <main className={css.returning} data-testid="returning" aria-busy="true">
      <Logo size={64} />
      <p role="status">{t.lobby.rejoining(room)}</p>
    </main>
  );
}
