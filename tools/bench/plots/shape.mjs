// What the pictures need to know before anything is drawn: which rows there are, where an axis ends, where
// labels may stand. Nothing here needs a package.

import { judge } from '../../docs/lib/results.mjs';

// A few figures far away would squeeze all others: they stand at the edge, with their number. The edge
// lies where nine of ten have room, but within these.
const nearestEdge = 2.2;
const farthestEdge = 4.5;
const leastOfRatio = 0.4;

// The rows of a picture: the servers of which there is something, chapters first, then a gap, then peers.
export function chooseRows(results, hasFigure) {
  const servers = results.servers.filter(hasFigure);
  const labels = (isChapter) => servers.filter((server) => (server.kind === 'chapter') === isChapter).map(shortLabel);
  const [chapters, peers] = [labels(true), labels(false)];
  return { servers, rows: chapters.length > 0 && peers.length > 0 ? [...chapters, ' ', ...peers] : [...chapters, ...peers] };
}

// A picture has no room for "Asio, coroutines, io_uring".
export function shortLabel({ label }) {
  return label.replace(', coroutines', '');
}

// One point for each server and load: {row, panel, median, low, high, nullLow, nullHigh, verdict, beyond}.
// All values are cut at the edges; `beyond` is the number of a median that lies outside.
export function ratioPoints(results, loads) {
  const titles = panelTitles(loads);
  const medians = loads.flatMap((load) => results.servers.map(({ id }) => results.comparison(id, load.id)?.server_ratio?.median).filter(Number.isFinite));
  const most = edgeOf(medians);
  const cut = (ratio) => Math.min(most, Math.max(leastOfRatio, ratio));
  return loads.flatMap((load, index) =>
    results.servers.flatMap((server) => {
      const [id, row] = [server.id, shortLabel(server)];
      if (id === results.baseline.id) return [{ row, panel: titles[index], median: 1, verdict: 'baseline' }];
      const entry = results.comparison(id, load.id);
      if (!Number.isFinite(entry?.server_ratio?.median)) return [];
      const { server_ratio: ratio, server_null: ownNull } = entry;
      const isBeyond = ratio.median > most || ratio.median < leastOfRatio;
      return [
        {
          row,
          panel: titles[index],
          median: cut(ratio.median),
          low: cut(ratio.low ?? ratio.median),
          high: cut(ratio.high ?? ratio.median),
          nullLow: cut(ownNull?.low ?? 1),
          nullHigh: cut(ownNull?.high ?? 1),
          verdict: judge(ratio, ownNull),
          ...(isBeyond ? { beyond: formatRatio(ratio.median) } : {}),
        },
      ];
    }),
  );
}

function edgeOf(medians) {
  const sorted = [...medians].sort((a, b) => a - b);
  const ninth = sorted[Math.round(0.9 * (sorted.length - 1))] ?? 1;
  return Math.min(farthestEdge, Math.max(nearestEdge, 1.1 * ninth));
}

function formatRatio(ratio) {
  return ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1);
}

// What is different from load to load: the part of the titles that they do not share.
export function panelTitles(loads) {
  if (loads.length < 2) return loads.map(({ title }) => title);
  const parts = loads.map(({ title }) => title.split(', '));
  return parts.map((words, index) => words.filter((word) => parts.some((other, at) => at !== index && !other.includes(word))).join(', ') || loads[index].title);
}

// From a little below the least to a little above the most, and 1 always inside.
export function ratioDomain(points) {
  const values = points.flatMap(({ median, low = median, high = median, nullLow = 1, nullHigh = 1 }) => [median, low, high, nullLow, nullHigh]);
  return [Math.min(0.9, ...values) / 1.06, Math.max(1.1, ...values) * 1.06];
}

// Few ticks, at numbers that one can say: those that lie in the domain, 1 among them.
export function ratioTicks([low, high], most = 5) {
  const choices = [[0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.5, 2, 3, 4], [0.5, 0.7, 0.8, 1, 1.2, 1.5, 2, 3, 4], [0.5, 0.7, 1, 1.5, 2, 3, 4], [0.5, 1, 2, 4], [1, 2, 4]];
  const inside = choices.map((ticks) => ticks.filter((tick) => tick >= low && tick <= high));
  return inside.find((ticks) => ticks.length <= most) ?? inside.at(-1);
}

// From 0 to the highest, three to six of them, at round numbers.
export function roundTicks(highest) {
  const power = 10 ** Math.floor(Math.log10(highest));
  const step = [0.2, 0.5, 1, 2, 5].map((factor) => factor * power).find((size) => highest / size < 5);
  return [...Array(Math.floor(highest / step) + 1).keys()].map((count) => Number((count * step).toPrecision(3)));
}

// Where labels of a height may stand without touching, each as near to its wish as that allows. Wishes and
// answers grow downwards, in the order given by the wishes.
export function spreadLabels(wishes, height, lowest = Infinity) {
  const order = wishes.map((wish, index) => ({ wish, index })).sort((a, b) => a.wish - b.wish || a.index - b.index);
  // Labels that would touch are a block that stands around the middle of its wishes.
  const blocks = [];
  for (const item of order) {
    blocks.push({ items: [item], middle: item.wish });
    while (blocks.length > 1 && touch(blocks.at(-2), blocks.at(-1), height)) {
      const [upper, lower] = blocks.splice(-2);
      const items = [...upper.items, ...lower.items];
      blocks.push({ items, middle: items.reduce((sum, { wish }) => sum + wish, 0) / items.length });
    }
  }
  const places = [];
  for (const { items, middle } of blocks) {
    items.forEach(({ index }, place) => (places[index] = middle + (place - (items.length - 1) / 2) * height));
  }
  const below = Math.max(0, ...places.map((place) => place - lowest));
  return below > 0 && Number.isFinite(below) ? pushUp(places, order, height, lowest) : places;
}

function touch(upper, lower, height) {
  return lower.middle - upper.middle < ((upper.items.length + lower.items.length) / 2) * height - 1e-9;
}

function pushUp(places, order, height, lowest) {
  let limit = lowest;
  for (const { index } of [...order].reverse()) {
    places[index] = Math.min(places[index], limit);
    limit = places[index] - height;
  }
  return places;
}

// 36,900 as 36 K would lie about the thousands: bytes with a unit that is a power of two.
export function formatBytes(bytes) {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  if (bytes < 1000 * 1024) return `${(bytes / 1024).toFixed(bytes < 100 * 1024 ? 1 : 0)} KiB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
