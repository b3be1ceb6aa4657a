import { type ReactNode, useEffect, useId } from 'react';
import { Button } from '../../components/Button';
import { Icon } from '../../components/Icon';
import { t } from '../../texts';
import css from './Panel.module.css';

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  testId: string;
}

/** What stands beside the stage; on a telephone, over it. */
export function Panel({ title, onClose, children, testId }: Props) {
  const id = useId();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    return () => {
      // Whoever worked in the panel goes on where it was opened.
      if (document.activeElement === document.body) before?.focus();
    };
  }, []);
  return (
    <aside className={css.panel} aria-labelledby={id} data-testid={testId}>
      <header className={css.head}>
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" icon aria-label={t.controls.close} onClick={onClose}>
          <Icon name="close" size={20} />
        </Button>
      </header>
      {children}
    </aside>
  );
}
