// Where the boxes of a lineage go: groups side by side, their assets in them. Loaded by lineage-worker.js.
// dagre lays out what it can within a moment; what is larger goes into columns, by how far it is downstream.
const BOX = { height: 44, folded: 56, head: 34, pad: 16 };
const DAGRE = { nodes: 600, clusters: 60, edges: 400 };

// {size of the picture, x and y of each asset (NaN where its group is folded), clusters, way of each edge that has bends}
function layout({ edges, members, names, width, folded, framed }) {
  const count = edges.count, many = count > DAGRE.nodes;
  const x = new Float32Array(count).fill(NaN), y = new Float32Array(count).fill(NaN), ways = new Map();
  const home = new Int32Array(count), place = new Int32Array(count);
  members.forEach((ids, cluster) => ids.forEach((id, n) => { home[id] = cluster; place[id] = n; }));
  const inner = members.map(() => []), outer = new Map();
  edges.pairs.forEach(([from, to], edge) => {
    const a = home[from], b = home[to];
    if (a === b) inner[a].push([place[from], place[to], edge]);
    else outer.set(a * members.length + b, [a, b]);
  });
  const insides = members.map((ids, cluster) => (folded.has(names[cluster]) ? null : arrange(ids.map(() => ({ w: width, h: BOX.height })), inner[cluster], !many)));
  const frame = framed ? { pad: BOX.pad, head: BOX.head } : { pad: 0, head: 0 };
  const boxes = insides.map((inside) => (inside ? { w: Math.max(inside.w + 2 * frame.pad, framed ? 140 : 0), h: inside.h + frame.head + frame.pad } : { w: Math.max(width, 180), h: BOX.folded }));
  const arrows = [...outer.values()];
  const outside = arrange(boxes, arrows, boxes.length <= DAGRE.clusters && arrows.length <= DAGRE.edges, insides.some(Boolean) ? 3 : 1);
  const clusters = boxes.map(({ w, h }, n) => ({ name: names[n], x: outside.x[n] - w / 2, y: outside.y[n] - h / 2, w, h, folded: !insides[n], count: members[n].length }));
  insides.forEach((inside, cluster) => {
    if (!inside) return;
    const left = clusters[cluster].x + (clusters[cluster].w - inside.w) / 2, top = clusters[cluster].y + frame.head;
    members[cluster].forEach((id, n) => { x[id] = left + inside.x[n]; y[id] = top + inside.y[n]; });
    inner[cluster].forEach(([, , edge], n) => { if (inside.ways[n]) ways.set(edge, inside.ways[n].map(([a, b]) => [left + a, top + b])); });
  });
  return { w: outside.w, h: outside.h, x, y, clusters, ways, arrows, home };
}

function arrange(boxes, edges, byLibrary, apart = 1) {
  if (boxes.length === 1) return { w: boxes[0].w, h: boxes[0].h, x: [boxes[0].w / 2], y: [boxes[0].h / 2], ways: [] };
  return byLibrary ? byDagre(boxes, edges, apart) : byColumns(boxes, edges, apart);
}

function byDagre(boxes, edges, apart) {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", nodesep: 18 * apart, ranksep: 56 * apart, edgesep: 12, ranker: boxes.length > 200 ? "longest-path" : "network-simplex" });
  graph.setDefaultEdgeLabel(() => ({}));
  boxes.forEach(({ w, h }, n) => graph.setNode(String(n), { width: w, height: h }));
  edges.forEach(([from, to], n) => { if (from !== to) graph.setEdge(String(from), String(to), {}, String(n)); });
  dagre.layout(graph);
  const at = boxes.map((_, n) => graph.node(String(n)));
  return {
    w: graph.graph().width, h: graph.graph().height, x: at.map((each) => each.x), y: at.map((each) => each.y),
    // The ends are the boxes' own; only what lies between is worth keeping.
    ways: edges.map(([from, to], n) => { const points = from === to ? [] : graph.edge(String(from), String(to), String(n)).points; return points.length > 3 ? points.slice(1, -1).map((p) => [p.x, p.y]) : null; }),
  };
}

// Each box in the column behind the last of those that it depends on, near their middle; a tall column is broken into several.
function byColumns(boxes, edges, apart) {
  const count = boxes.length, below = boxes.map(() => []), above = boxes.map(() => []), waits = new Int32Array(count), layer = new Int32Array(count);
  for (const [from, to] of edges) if (from !== to) { below[from].push(to); above[to].push(from); waits[to]++; }
  const ready = [...waits.keys()].filter((n) => !waits[n]); // what is on a cycle never gets ready, and stays where it was pushed to
  for (let n = 0; n < ready.length; n++) {
    for (const next of below[ready[n]]) {
      layer[next] = Math.max(layer[next], layer[ready[n]] + 1);
      if (!--waits[next]) ready.push(next);
    }
  }
  const columns = [];
  for (let n = 0; n < count; n++) (columns[layer[n]] ??= []).push(n);
  const rank = new Float64Array(count);
  const number = (column) => column.forEach((n, at) => { rank[n] = at / column.length; });
  const used = columns.filter(Boolean);
  used.forEach(number);
  const middle = (list, n) => (list[n].length ? list[n].reduce((sum, each) => sum + rank[each], 0) / list[n].length : rank[n]);
  for (let sweep = 0; sweep < 4; sweep++) {
    const list = sweep % 2 ? below : above;
    for (const column of sweep % 2 ? [...used].reverse() : used) {
      const aims = new Map(column.map((n) => [n, middle(list, n)]));
      column.sort((a, b) => aims.get(a) - aims.get(b));
      number(column);
    }
  }
  return stack(used, boxes, apart);
}

// Columns side by side in lines below each other, as text is set: thousands of assets in a chain would else be a thread.
function stack(columns, boxes, apart) {
  const gap = 18 * apart, between = 64 * apart, area = boxes.reduce((sum, { w, h }) => sum + (w + between) * (h + gap), 0);
  const tall = Math.max(Math.sqrt(area / 1.7), ...boxes.map(({ h }) => h)), wide = Math.sqrt(area * 2.4);
  const x = new Float64Array(boxes.length), y = new Float64Array(boxes.length), lines = [];
  for (const column of columns) {
    let part = null;
    for (const n of column) {
      if (!part || part.h + gap + boxes[n].h > tall) {
        let line = lines.at(-1);
        if (!line || line.w > wide) lines.push(line = { parts: [], w: 0, h: 0 });
        const before = line.parts.length ? (part ? gap : between) : 0;
        part = { ids: [], x: line.w + before, h: -gap, w: Math.max(...column.map((each) => boxes[each].w)) };
        line.parts.push(part);
        line.w = part.x + part.w;
      }
      part.ids.push(n);
      part.h += gap + boxes[n].h;
      lines.at(-1).h = Math.max(lines.at(-1).h, part.h);
    }
  }
  let top = 0;
  for (const { parts, h } of lines) {
    for (const part of parts) {
      let at = top + (h - part.h) / 2;
      for (const n of part.ids) {
        x[n] = part.x + part.w / 2;
        y[n] = at + boxes[n].h / 2;
        at += boxes[n].h + gap;
      }
    }
    top += h + between;
  }
  return { w: Math.max(...lines.map(({ w }) => w)), h: top - between, x, y, ways: [] };
}
