import { type ReactNode, useEffect, useId, useRef } from 'react';
import { t } from '../texts';
import { Button } from './Button';
import css from './Dialog.module.css';
import { Icon } from './Icon';

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  testId: string;
}

/** A modal window. The browser keeps the focus inside, closes it by Escape and gives the focus back. */
export function Dialog({ title, onClose, children, testId }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it; the click is for the backdrop.
    <dialog
      ref={ref}
      className={css.dialog}
      aria-labelledby={id}
      data-testid={testId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div className={css.inside}>
        <header className={css.head}>
          <h2 id={id}>{title}</h2>
          <Button kind="quiet" icon aria-label={t.controls.close} onClick={onClose}>
            <Icon name="close" size={20} />
          </Button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
