import { useEffect, useRef } from 'react';
import { Button } from '../../components/Button';
import { Logo } from '../../components/Icon';
import type { Ending } from '../../lib/ending';
import { clock } from '../../lib/people';
import { t } from '../../texts';
import css from './Ended.module.css';

interface Props {
  ending: Ending;
  /** Milliseconds. */
  lasted: number;
  onRejoin: () => void;
  onRejoinAsNew: () => void;
  onLobby: () => void;
}

/** Says why one is out, and offers the ways on. */
export function Ended({ ending, lasted, onRejoin, onRejoinAsNew, onLobby }: Props) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), []);
  return (
    <main className={css.page} data-testid="ended" data-reason={ending.reason}>
      <div className={css.card}>
        <Logo size={56} />
        <h1 ref={head} tabIndex={-1}>
          {ending.title}
        </h1>
        <p>{ending.sentence}</p>
        <p className={css.lasted}>{t.ended.lasted(clock(lasted))}</p>
        <div className={css.ways}>
          {ending.canRejoin && (
            <Button kind="primary" wide data-testid="rejoin" onClick={onRejoin}>
              {t.ended.rejoin}
            </Button>
          )}
          {ending.offerNewIdentity && (
            <Button wide data-testid="rejoin-new" onClick={onRejoinAsNew}>
              {t.ended.asNew}
            </Button>
          )}
          <Button wide data-testid="to-lobby" onClick={onLobby}>
            {t.ended.lobby}
          </Button>
        </div>
      </div>
    </main>
  );
}
