import { useCallback, useEffect, useRef, useState } from 'react';
import type { Person } from '../../call/watch';
import { Button } from '../../components/Button';
import { Icon } from '../../components/Icon';
import { useElementBox } from '../../hooks/useElementBox';
import { gridLayout, type Rect, stageLayout } from '../../lib/layout';
import { placePeople } from '../../lib/order';
import { t } from '../../texts';
import { focusOf, GRID, type Item, itemsOf } from './items';
import css from './Stage.module.css';
import { Tile } from './Tile';

const NOWHERE: Rect = { x: 0, y: 0, width: 0, height: 0 };

/** The tiles: a grid, or one large and the others beside it. */
export function Stage({ people }: { people: readonly Person[] }) {
  const ref = useRef<HTMLDivElement>(null);
  const box = useElementBox(ref);
  const order = useRef<string[]>([]);
  const [pinned, setPinned] = useState<string | null>(null);
  const focusNow = useRef<string | null>(null);
  const [page, setPage] = useState(0);

  const screens = people.filter((p) => p.screen).length;
  const total = people.length + screens;
  const capacity = gridLayout(total, box).perPage;
  const placed = placePeople(order.current, people, Math.max(1, capacity - screens));

  const items = itemsOf(people, placed);
  const focus = focusOf(items, pinned);
  useEffect(() => {
    order.current = placed;
    focusNow.current = focus;
  });
  const others = items.filter((i) => i.key !== focus);
  const layout = focus ? stageLayout(others.length, box, page) : gridLayout(total, box, page);
  const from = layout.page * layout.perPage;
  const shown: Item[] = [
    ...items.filter((i) => i.key === focus),
    ...others.slice(from, from + layout.perPage),
  ];

  const onPin = useCallback((key: string) => {
    // Letting go of what is large leads back to the grid, even while a screen is shared.
    setPinned((now) => (key === focusNow.current ? GRID : now === key ? null : key));
    setPage(0);
  }, []);

  return (
    <section className={css.stage} aria-label={t.room.stage}>
      <div ref={ref} className={css.box} data-testid="stage" data-focus={focus ?? ''}>
        {box.width > 0 &&
          shown.map((item, i) => (
            <Tile
              key={item.key}
              item={item}
              rect={layout.rects[i] ?? NOWHERE}
              focused={item.key === focus}
              onPin={onPin}
            />
          ))}
      </div>
      {layout.pages > 1 && (
        <nav className={css.pages}>
          <Button
            icon
            aria-label={t.room.previous}
            disabled={layout.page === 0}
            onClick={() => setPage(layout.page - 1)}
          >
            <Icon name="left" size={18} />
          </Button>
          <span aria-live="polite">{t.room.page(layout.page + 1, layout.pages)}</span>
          <Button
            icon
            aria-label={t.room.next}
            disabled={layout.page === layout.pages - 1}
            onClick={() => setPage(layout.page + 1)}
          >
            <Icon name="right" size={18} />
          </Button>
        </nav>
      )}
    </section>
  );
}
