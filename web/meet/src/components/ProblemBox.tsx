import { useEffect, useRef } from 'react';
import type { Problem } from '../lib/refusal';
import { t } from '../texts';
import { Button } from './Button';
import { Icon } from './Icon';
import css from './ProblemBox.module.css';

/** Says why joining failed and what helps. Takes the focus, so that it is read out and seen. */
export function ProblemBox({ problem, onDismiss }: { problem: Problem; onDismiss: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new problem takes the focus again.
  useEffect(() => {
    ref.current?.focus();
  }, [problem]);
  return (
    <div
      ref={ref}
      className={css.box}
      role="alert"
      tabIndex={-1}
      data-testid="problem"
      data-code={problem.code}
    >
      <span className={css.icon}>
        <Icon name="warning" />
      </span>
      <div className={css.text}>
        <h2 data-testid="problem-title">{problem.title}</h2>
        <p data-testid="problem-sentence">{problem.sentence}</p>
        {problem.remedy && (
          <p className={css.remedy} data-testid="problem-remedy">
            {problem.remedy}
          </p>
        )}
        <p className={css.code}>
          {t.lobby.code}: <code>{problem.code}</code>
          {problem.detail && <> · {problem.detail}</>}
        </p>
      </div>
      <Button kind="quiet" icon aria-label={t.lobby.dismiss} onClick={onDismiss}>
        <Icon name="close" size={18} />
      </Button>
    </div>
  );
}
