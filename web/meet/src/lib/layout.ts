/**
 * Where tiles go: a grid for any number of people, or a stage with a strip beside it.
 * Pure arithmetic in CSS pixels; it knows neither people nor the DOM.
 */

export interface Box {
  width: number;
  height: number;
}

export interface Rect extends Box {
  x: number;
  y: number;
}

export interface Page {
  /** One rectangle per item of the page, in item order. */
  rects: Rect[];
  /** Items that fit on one page; the last page may hold fewer. */
  perPage: number;
  /** Pages in all, at least 1. */
  pages: number;
  /** The page laid out, 0 to pages - 1. */
  page: number;
}

/** Narrowest and widest shape of a tile, width over height. */
const ASPECT_MIN = 3 / 4;
const ASPECT_MAX = 16 / 9;
/** Below this a face is not worth its decoder: the rest goes to further pages. */
const TILE_MIN: Box = { width: 150, height: 100 };
/** Tiles made to fit exactly must not fail to by the last bit. */
const ROUNDING = 1e-6;
/** Never more video elements than this at once, whatever the screen. */
export const TILES_PER_PAGE_MAX = 36;

export function gapFor(box: Box): number {
  return box.width < 600 ? 8 : 12;
}

/** Lays `count` items out in `box`, choosing the columns that give the largest tiles. */
export function gridLayout(count: number, box: Box, page = 0): Page {
  const gap = gapFor(box);
  const perPage = gridCapacity(count, box, gap);
  const pages = Math.max(1, Math.ceil(count / perPage));
  const current = clamp(page, 0, pages - 1);
  const shown = Math.min(perPage, count - current * perPage);
  return { rects: fillGrid(shown, box, gap), perPage, pages, page: current };
}

/**
 * One item large, the others in a strip: at the right of a wide box, below in a tall one.
 * The first rectangle is the stage's; the rest are the strip's of the given page.
 */
export function stageLayout(others: number, box: Box, page = 0): Page {
  const gap = gapFor(box);
  if (others === 0) {
    const rects = [{ x: 0, y: 0, ...positive(box) }];
    return { rects, perPage: 1, pages: 1, page: 0 };
  }
  const beside = box.width >= 720 && box.width > box.height;
  const tile = beside ? besideTile(others, box, gap) : belowTile(box, gap);
  const room = beside ? box.height : box.width;
  const step = (beside ? tile.height : tile.width) + gap;
  const perPage = Math.max(1, Math.floor((room + gap) / step + ROUNDING));
  const pages = Math.ceil(others / perPage);
  const current = clamp(page, 0, pages - 1);
  const shown = Math.min(perPage, others - current * perPage);
  const stage = positive(
    beside
      ? { width: box.width - tile.width - gap, height: box.height }
      : { width: box.width, height: box.height - tile.height - gap },
  );
  const start = (room - (shown * step - gap)) / 2;
  const rects: Rect[] = [{ x: 0, y: 0, ...stage }];
  for (let i = 0; i < shown; i += 1) {
    const along = Math.max(0, start) + i * step;
    rects.push(
      beside
        ? { x: box.width - tile.width, y: along, ...tile }
        : { x: along, y: box.height - tile.height, ...tile },
    );
  }
  return { rects, perPage, pages, page: current };
}

/** As wide as a fifth of the box, narrower if then all find a place. */
function besideTile(others: number, box: Box, gap: number): Box {
  const fitting = (((box.height - gap * (others - 1)) / others) * 16) / 9;
  const roomy = clamp(box.width * 0.19, 150, 260);
  const width = fitting >= 150 ? Math.min(roomy, fitting) : roomy;
  return { width, height: (width * 9) / 16 };
}

/** A fifth of the height, and on a telephone three in a row. */
function belowTile(box: Box, gap: number): Box {
  const roomy = (clamp(box.height * 0.2, 76, 140) * 4) / 3;
  const third = (box.width - 2 * gap) / 3;
  const width = Math.min(box.width, box.width < 600 ? Math.max(100, third) : roomy, roomy);
  return { width, height: (width * 3) / 4 };
}

/** The largest number of items whose tiles are still big enough, at least 1. */
function gridCapacity(count: number, box: Box, gap: number): number {
  for (let n = Math.min(count, TILES_PER_PAGE_MAX); n > 1; n -= 1) {
    const { tile } = bestGrid(n, box, gap);
    if (tile.width >= TILE_MIN.width && tile.height >= TILE_MIN.height) return n;
  }
  return 1;
}

function fillGrid(count: number, box: Box, gap: number): Rect[] {
  if (count <= 0) return [];
  const { cols, rows, tile } = bestGrid(count, box, gap);
  const top = (box.height - (rows * (tile.height + gap) - gap)) / 2;
  return Array.from({ length: count }, (_, i) => {
    const row = Math.floor(i / cols);
    // The last row is centred when it is not full.
    const inRow = row === rows - 1 ? count - row * cols : cols;
    const left = (box.width - (inRow * (tile.width + gap) - gap)) / 2;
    return {
      x: left + (i % cols) * (tile.width + gap),
      y: top + row * (tile.height + gap),
      ...tile,
    };
  });
}

function bestGrid(count: number, box: Box, gap: number): { cols: number; rows: number; tile: Box } {
  let best = { cols: 1, rows: count, tile: tileIn(1, count, box, gap) };
  for (let cols = 2; cols <= count; cols += 1) {
    const rows = Math.ceil(count / cols);
    const tile = tileIn(cols, rows, box, gap);
    if (tile.width * tile.height > best.tile.width * best.tile.height) best = { cols, rows, tile };
  }
  return best;
}

function tileIn(cols: number, rows: number, box: Box, gap: number): Box {
  const cell = positive({
    width: (box.width - gap * (cols - 1)) / cols,
    height: (box.height - gap * (rows - 1)) / rows,
  });
  const aspect = clamp(cell.height > 0 ? cell.width / cell.height : 1, ASPECT_MIN, ASPECT_MAX);
  return cell.width / aspect <= cell.height
    ? { width: cell.width, height: cell.width / aspect }
    : { width: cell.height * aspect, height: cell.height };
}

function positive(box: Box): Box {
  return { width: Math.max(0, box.width), height: Math.max(0, box.height) };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
