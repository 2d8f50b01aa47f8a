// Lays a lineage out and paints it, both away from the page's thread: ten thousand assets neither block typing nor scrolling.
// The page sends what to show and where one looks; it is told where things are, for pointer and keyboard.
importScripts("vendor/dagre.js", "lineage-layout.js");

const NEAR = .34; // below this scale an asset is a spot in the colour of its status, and a group has its name across
const FEW = 1500; // so many edges are also drawn from afar; more would be a grey area, so the groups' are drawn instead
const MAP = { w: 168, h: 104, gap: 12 };
let canvas, pen, data, places = null, colours = {}, icons = {}, due = false, told = false, mini = null, room = { w: 1, h: 1, dpr: 1 };
let view = { x: 0, y: 0, k: 1 }, marks = { hover: -1, focus: -1, chosen: new Set(), hits: null };
const fitted = new Map();

onmessage = ({ data: message }) => {
  if (message.kind === "picture") return picture();
  ({ init, fold: place, look: dress, status: tint, size: resize, view: move, marks: mark })[message.kind](message);
  due ||= Boolean(requestAnimationFrame(() => { due = false; paint(pen, view, room); tellPainted(); }));
};

function init(message) {
  canvas = message.canvas;
  pen = canvas.getContext("2d");
  data = message.data;
  data.pairs = [];
  for (let n = 0; n < data.edges.length; n += 2) data.pairs.push([data.edges[n], data.edges[n + 1]]);
  pen.font = "550 12.5px system-ui, sans-serif";
  const longest = [...data.keys].sort((a, b) => b.length - a.length).slice(0, 50); // measuring every name would take longer than the layout
  data.width = Math.min(240, Math.max(120, ...longest.map((key) => Math.ceil(pen.measureText(key).width) + 52)));
  dress(message);
  resize(message);
  place(message);
}

function place({ by, folded }) {
  const names = by === "none" ? [""] : by === "location" ? data.locations : data.groups;
  const column = by === "location" ? data.location : data.group;
  const members = names.map(() => []);
  data.keys.forEach((_, n) => members[by === "none" ? 0 : column[n]].push(n));
  const used = names.map((_, n) => n).filter((n) => members[n].length);
  data.framed = by !== "none";
  places = layout({
    edges: { count: data.keys.length, pairs: data.pairs }, members: used.map((n) => members[n]), names: used.map((n) => names[n]),
    width: data.width, folded: new Set(folded), framed: data.framed,
  });
  count();
  const { w, h, x, y, clusters, arrows, home } = places;
  postMessage({ kind: "placed", w, h, x, y, clusters, arrows, home, width: data.width, framed: data.framed });
}

// Of each group: how many assets have which status, and the worst of them.
function count() {
  mini = null;
  for (const cluster of places.clusters) cluster.counts = data.statuses.map(() => 0);
  data.keys.forEach((_, n) => places.clusters[places.home[n]].counts[data.status[n]]++);
  for (const cluster of places.clusters) cluster.worst = cluster.counts.findIndex(Boolean);
}

function dress(message) {
  colours = message.colours ?? colours;
  if (message.icons) icons = Object.fromEntries(Object.entries(message.icons).map(([name, shapes]) => [name, shapes.map((shape) => ({ ...shape, path: new Path2D(shape.d) }))]));
  mini = null;
}
function tint({ status }) { data.status = status; count(); }
function move(message) { view = message; }
function mark({ hover, focus, chosen, hits }) { marks = { hover, focus, chosen: new Set(chosen), hits: hits && new Set(hits) }; }
function resize({ w, h, dpr }) {
  room = { w, h, dpr };
  canvas.width = Math.round(w * dpr);
  canvas.height = Math.round(h * dpr);
}
function tellPainted() { if (!told) { told = true; postMessage({ kind: "painted" }); } }

// ------------------------------------------------------------------ painting
function paint(to, at, { w, h, dpr }, whole = false) {
  if (!places) return;
  const seen = { left: -at.x / at.k, top: -at.y / at.k, right: (w - at.x) / at.k, bottom: (h - at.y) / at.k };
  to.setTransform(dpr, 0, 0, dpr, 0, 0);
  to.fillStyle = colours.sunken;
  to.fillRect(0, 0, w, h);
  to.setTransform(dpr * at.k, 0, 0, dpr * at.k, dpr * at.x, dpr * at.y);
  const near = at.k >= NEAR;
  if (data.framed) for (const cluster of places.clusters) if (overlaps(cluster, seen)) frame(to, cluster, near);
  arrowsOf(to, seen, near);
  data.keys.forEach((_, n) => {
    const x = places.x[n] - data.width / 2, y = places.y[n] - BOX.height / 2;
    if (overlaps({ x, y, w: data.width, h: BOX.height }, seen)) (near ? box : spot)(to, n, x, y);
  });
  if (data.framed && !near) for (const cluster of places.clusters) if (overlaps(cluster, seen)) across(to, cluster, at.k);
  ring(to, at.k);
  if (!whole && outside(seen)) overview(to, seen, room);
}

const overlaps = (a, seen) => a.x < seen.right && a.x + a.w > seen.left && a.y < seen.bottom && a.y + a.h > seen.top;
const outside = (seen) => seen.left > 1 || seen.top > 1 || seen.right < places.w - 1 || seen.bottom < places.h - 1;

function frame(to, cluster, near) {
  const tone = data.statuses[cluster.worst]?.tone;
  to.beginPath();
  to.roundRect(cluster.x, cluster.y, cluster.w, cluster.h, 9);
  to.fillStyle = colours.bg;
  to.fill();
  to.lineWidth = near ? 1 : 1.4 / view.k;
  to.strokeStyle = tone === "failure" ? colours["failure-fill"] : colours["line-strong"];
  to.stroke();
  if (!near) return;
  to.fillStyle = colours.ink;
  to.font = "600 12.5px system-ui, sans-serif";
  to.fillText(fit(to, cluster.name, cluster.w - 56), cluster.x + (cluster.folded ? 40 : 34), cluster.y + (cluster.folded ? 25 : 22));
  icon(to, cluster.folded ? data.statuses[cluster.worst] : { tone: "neutral", icon: "minus" }, cluster.x + 12, cluster.y + (cluster.folded ? 20 : 9));
  if (!cluster.folded) return;
  to.fillStyle = colours["ink-3"];
  to.font = "400 11px system-ui, sans-serif";
  to.fillText(fit(to, about(cluster), cluster.w - 56), cluster.x + 40, cluster.y + 41);
}

function about(cluster) {
  const failed = cluster.counts.reduce((sum, n, status) => sum + (data.statuses[status].tone === "failure" ? n : 0), 0);
  return `${cluster.count.toLocaleString("en")} asset${cluster.count === 1 ? "" : "s"}${failed ? ` · ${failed.toLocaleString("en")} failed` : ""}`;
}

// From afar a group has its name in its middle, as large on the screen as any text, or a little smaller where it fits only so.
function across(to, cluster, k) {
  const room = cluster.w - 6 / k, font = (size) => `600 ${size}px system-ui, sans-serif`;
  to.font = font(13);
  const wide = to.measureText(cluster.name).width / 13;
  const size = Math.min(13 / k, cluster.h * .6, Math.max(9 / k, room / wide));
  if (size * k < 7) return;
  to.font = font(size);
  // Names of groups differ at their ends more often than at their beginnings.
  const most = Math.floor(room / size / (wide / cluster.name.length)) - 1;
  if (wide * size > room && most < 3) return;
  const words = wide * size > room ? `…${cluster.name.slice(-most)}` : cluster.name;
  to.textAlign = "center";
  to.textBaseline = "middle";
  to.lineJoin = "round";
  to.lineWidth = 4 / k;
  to.strokeStyle = colours.bg;
  to.strokeText(words, cluster.x + cluster.w / 2, cluster.y + cluster.h / 2);
  to.fillStyle = colours.ink;
  to.fillText(words, cluster.x + cluster.w / 2, cluster.y + cluster.h / 2);
  to.textAlign = "start";
  to.textBaseline = "alphabetic";
}

function arrowsOf(to, seen, near) {
  to.lineWidth = Math.min(1.4 / Math.min(view.k, 1), 8);
  to.strokeStyle = colours["line-strong"];
  to.globalAlpha = marks.hits ? .3 : 1;
  to.beginPath();
  if (near || data.pairs.length <= FEW || !data.framed) each(to, seen);
  else for (const [from, until] of places.arrows) curve(to, places.clusters[from], places.clusters[until], null, seen);
  to.stroke();
  to.globalAlpha = 1;
  const of = marks.hover >= 0 ? marks.hover : marks.focus;
  if (of < 0) return;
  to.beginPath();
  const at = of - data.keys.length; // a group's place among the groups
  data.pairs.forEach(([from, until], edge) => {
    const [a, b] = [places.home[from], places.home[until]];
    if (at < 0 ? from === of || until === of : a !== b && (a === at || b === at)) curve(to, ...ends(from, until), places.ways.get(edge), seen);
  });
  to.strokeStyle = colours.accent;
  to.lineWidth = Math.min(2 / Math.min(view.k, 1), 14);
  to.stroke();
}

// Each edge; those of folded groups once for all that it stands for.
function each(to, seen) {
  const drawn = new Set();
  data.pairs.forEach(([from, until], edge) => {
    const [a, b] = [places.home[from], places.home[until]];
    const [inA, inB] = [places.clusters[a].folded, places.clusters[b].folded];
    if (inA || inB) {
      const pair = `${inA ? `g${a}` : from} ${inB ? `g${b}` : until}`;
      if (a === b || drawn.has(pair)) return;
      drawn.add(pair);
    }
    curve(to, ...ends(from, until), places.ways.get(edge), seen);
  });
}

function ends(from, to) {
  return [from, to].map((n) => (Number.isNaN(places.x[n]) ? places.clusters[places.home[n]] : { x: places.x[n] - data.width / 2, y: places.y[n] - BOX.height / 2, w: data.width, h: BOX.height }));
}

// From the right edge of one box to the left edge of the other, level at both ends; long ones keep dagre's way between boxes.
function curve(to, a, b, way, seen) {
  const [x0, y0, x1, y1] = [a.x + a.w, a.y + a.h / 2, b.x, b.y + b.h / 2];
  if (!way && (Math.min(x0, x1) > seen.right || Math.max(x0, x1) < seen.left || Math.min(y0, y1) > seen.bottom || Math.max(y0, y1) < seen.top)) return;
  to.moveTo(x0, y0);
  let ax = x0, ay = y0;
  for (const [bx, by] of [...(way ?? []), [x1, y1]]) {
    const half = Math.max(Math.abs(bx - ax) / 2, bx < ax ? 60 : 0);
    to.bezierCurveTo(ax + half, ay, bx - half, by, bx, by);
    [ax, ay] = [bx, by];
  }
}

function spot(to, n, x, y) {
  const { tone } = data.statuses[data.status[n]];
  to.globalAlpha = marks.hits && !marks.hits.has(n) ? .16 : 1;
  to.fillStyle = marks.chosen.has(n) ? colours.accent : colours[`${tone}-fill`];
  to.fillRect(x, y, data.width, BOX.height);
  to.globalAlpha = 1;
}

function box(to, n, x, y) {
  to.globalAlpha = marks.hits && !marks.hits.has(n) ? .22 : 1;
  to.beginPath();
  to.roundRect(x, y, data.width, BOX.height, 7);
  to.fillStyle = marks.chosen.has(n) ? colours["accent-soft"] : colours.raised;
  to.fill();
  to.lineWidth = marks.chosen.has(n) ? 2 : 1;
  to.strokeStyle = marks.chosen.has(n) || n === data.on ? colours.accent : colours["line-strong"];
  to.stroke();
  icon(to, data.statuses[data.status[n]], x + 12, y + 14);
  const sub = data.framed ? data.kinds[n] : [data.groups[data.group[n]], data.kinds[n]].filter(Boolean).join(" · ");
  to.fillStyle = colours.ink;
  to.font = "550 12.5px system-ui, sans-serif";
  to.fillText(fit(to, data.keys[n], data.width - 46), x + 36, y + (sub ? 19 : 26));
  to.fillStyle = colours["ink-3"];
  to.font = "400 11px system-ui, sans-serif";
  if (sub) to.fillText(fit(to, sub, data.width - 46), x + 36, y + 34);
  to.globalAlpha = 1;
}

function icon(to, { tone, icon: name }, x, y) {
  for (const { path, fill, stroke, width, dash, alpha } of icons[name] ?? []) {
    to.save();
    to.translate(x, y);
    to.lineCap = to.lineJoin = "round";
    const ink = (kind) => (kind === "knock" ? colours.raised : colours[tone]);
    if (fill) { to.fillStyle = ink(fill); to.fill(path); }
    if (stroke) { to.strokeStyle = ink(stroke); to.lineWidth = width; to.setLineDash(dash); to.globalAlpha *= alpha; to.stroke(path); }
    to.restore();
  }
}

// Around what the pointer or the keyboard is at.
function ring(to, k) {
  for (const [at, width] of [[marks.hover, 2], [marks.focus, 3]]) {
    if (at < 0) continue;
    const n = data.keys.length, here = at < n ? ends(at, at)[0] : places.clusters[at - n];
    if (!here) continue;
    to.beginPath();
    const off = width === 3 ? 3 / k : 0;
    to.roundRect(here.x - off, here.y - off, here.w + 2 * off, here.h + 2 * off, 9);
    to.lineWidth = width / Math.min(k, 1);
    to.strokeStyle = colours.accent;
    to.stroke();
  }
}

// The whole, small, in the corner, with what is seen of it; it is painted anew only when something else than the view has changed.
function overview(to, seen, { w, h, dpr }) {
  if (w < 480 || places.clusters.length + data.keys.length < 30) return;
  const scale = Math.min(MAP.w / places.w, MAP.h / places.h), [mw, mh] = [places.w * scale, places.h * scale];
  if (!mini || mini.dpr !== dpr) {
    mini = { dpr, canvas: new OffscreenCanvas(Math.max(1, Math.ceil(mw * dpr)), Math.max(1, Math.ceil(mh * dpr))) };
    const small = mini.canvas.getContext("2d");
    small.setTransform(scale * dpr, 0, 0, scale * dpr, 0, 0);
    small.fillStyle = colours["line-strong"];
    if (data.framed) for (const c of places.clusters) { small.globalAlpha = .45; small.fillRect(c.x, c.y, c.w, c.h); }
    small.globalAlpha = 1;
    data.keys.forEach((_, n) => { small.fillStyle = colours[`${data.statuses[data.status[n]].tone}-fill`]; small.fillRect(places.x[n] - data.width / 2, places.y[n] - 22, data.width, 44); });
  }
  to.setTransform(dpr, 0, 0, dpr, dpr * MAP.gap, dpr * (h - MAP.gap - mh));
  to.fillStyle = colours.raised;
  to.strokeStyle = colours["line-strong"];
  to.lineWidth = 1;
  to.fillRect(-4, -4, mw + 8, mh + 8);
  to.strokeRect(-4, -4, mw + 8, mh + 8);
  to.drawImage(mini.canvas, 0, 0, mw, mh);
  const cut = (v, most) => Math.min(most, Math.max(0, v * scale));
  const [l, t, r, b] = [cut(seen.left, mw), cut(seen.top, mh), cut(seen.right, mw), cut(seen.bottom, mh)];
  to.strokeStyle = colours.accent;
  to.lineWidth = 1.5;
  to.strokeRect(l, t, Math.max(3, r - l), Math.max(3, b - t));
}

// Cut at the end, by measured width: the beginning tells what it is.
function fit(to, text, most) {
  const name = `${to.font}|${most}|${text}`;
  if (fitted.has(name)) return fitted.get(name);
  let found = text;
  if (to.measureText(text).width > most) {
    let low = 0, high = text.length - 1; // the longest beginning that fits, by halving
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (to.measureText(`${text.slice(0, middle).trimEnd()}…`).width <= most) low = middle;
      else high = middle - 1;
    }
    found = `${text.slice(0, low).trimEnd()}…`;
  }
  if (fitted.size > 20000) fitted.clear();
  fitted.set(name, found);
  return found;
}

async function picture() {
  const k = Math.min(2, 8000 / Math.max(places.w, places.h)), margin = 24;
  const [w, h] = [Math.ceil(places.w * k) + 2 * margin, Math.ceil(places.h * k) + 2 * margin];
  const whole = new OffscreenCanvas(w, h), before = view;
  view = { x: margin, y: margin, k };
  paint(whole.getContext("2d"), view, { w, h, dpr: 1 }, true);
  view = before;
  postMessage({ kind: "picture", blob: await whole.convertToBlob({ type: "image/png" }) });
}
