// Lays tiles out in many boxes and checks what a person would see: inside, apart, shaped like faces.
import { describe, expect, it } from 'vitest';
import { type Box, gridLayout, type Rect, stageLayout, TILES_PER_PAGE_MAX } from './layout';

const boxes: Box[] = [
  { width: 1256, height: 640 },
  { width: 900, height: 640 },
  { width: 344, height: 540 },
  { width: 640, height: 300 },
  { width: 320, height: 200 },
];

function apart(a: Rect, b: Rect): boolean {
  const e = 0.01;
  return (
    a.x + a.width <= b.x + e ||
    b.x + b.width <= a.x + e ||
    a.y + a.height <= b.y + e ||
    b.y + b.height <= a.y + e
  );
}

function checkRects(rects: Rect[], box: Box) {
  for (const [i, rect] of rects.entries()) {
    expect(rect.width).toBeGreaterThan(0);
    expect(rect.height).toBeGreaterThan(0);
    expect(rect.x).toBeGreaterThanOrEqual(-0.01);
    expect(rect.y).toBeGreaterThanOrEqual(-0.01);
    expect(rect.x + rect.width).toBeLessThanOrEqual(box.width + 0.01);
    expect(rect.y + rect.height).toBeLessThanOrEqual(box.height + 0.01);
    for (const other of rects.slice(i + 1)) expect(apart(rect, other)).toBe(true);
  }
}

describe('gridLayout', () => {
  it.each(boxes)('keeps any number inside $width x $height and apart', (box) => {
    for (const count of [1, 2, 3, 4, 5, 7, 9, 16, 25, 50, 300]) {
      let shown = 0;
      const { pages } = gridLayout(count, box);
      for (let page = 0; page < pages; page += 1) {
        const layout = gridLayout(count, box, page);
        checkRects(layout.rects, box);
        expect(layout.rects.length).toBeLessThanOrEqual(TILES_PER_PAGE_MAX);
        for (const { width, height } of layout.rects) {
          expect(width / height).toBeGreaterThan(0.74);
          expect(width / height).toBeLessThan(1.79);
        }
        shown += layout.rects.length;
      }
      expect(shown).toBe(count);
    }
  });

  it('puts two side by side on a desk and one above the other on a telephone', () => {
    const [a, b] = gridLayout(2, { width: 1256, height: 640 }).rects as [Rect, Rect];
    expect(a.y).toBe(b.y);
    const [c, d] = gridLayout(2, { width: 344, height: 540 }).rects as [Rect, Rect];
    expect(c.x).toBe(d.x);
  });

  it('centres a last row that is not full', () => {
    const box = { width: 1200, height: 700 };
    const rects = gridLayout(5, box).rects;
    const last = rects.slice(3);
    const left = Math.min(...last.map((r) => r.x));
    const right = Math.max(...last.map((r) => r.x + r.width));
    expect(left).toBeCloseTo(box.width - right);
  });

  it('survives nobody and no space', () => {
    expect(gridLayout(0, { width: 800, height: 600 })).toMatchObject({ rects: [], pages: 1 });
    expect(gridLayout(3, { width: 0, height: 0 }).pages).toBe(3);
    expect(gridLayout(3, { width: 800, height: 600 }, 99).page).toBe(0);
  });
});

describe('stageLayout', () => {
  it.each(boxes)('gives the stage the most of $width x $height', (box) => {
    for (const others of [0, 1, 2, 6, 40]) {
      const { rects, pages } = stageLayout(others, box);
      checkRects(rects, box);
      const [stage] = rects as [Rect];
      expect(stage.width * stage.height).toBeGreaterThan(box.width * box.height * 0.5);
      let shown = 0;
      for (let page = 0; page < pages; page += 1) {
        shown += stageLayout(others, box, page).rects.length - 1;
      }
      expect(shown).toBe(others);
    }
  });

  it('narrows the strip before it takes a second page', () => {
    for (const height of [640, 653, 661.3]) {
      expect(stageLayout(6, { width: 1256, height }).pages).toBe(1);
    }
    expect(stageLayout(3, { width: 344, height: 560 }).pages).toBe(1);
  });
});
