// Draws small graphs: an asset among its neighbours, or the ops of a job. Drag to pan, wheel or pinch to zoom, Tab and Enter to open.
// The lineage page, which may have any number of assets, is drawn by lineage-map.js.
const SVG = "http://www.w3.org/2000/svg";
const H = 44;
const ROW = { first: 34, each: 22, below: 6 }; // of a box that lists columns
const tall = (node) => (node.rows ? ROW.first + ROW.each * node.rows.length + ROW.below : H);
const make = (name, attributes = {}, ...children) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) element.setAttribute(key, value);
  element.append(...children);
  return element;
};
const icons = document.querySelector("use")?.getAttribute("href").split("#")[0] || "/static/icons.svg";
const measure = document.createElement("canvas").getContext("2d");
const width = (node) => {
  measure.font = "550 12.5px system-ui, sans-serif";
  const title = measure.measureText(node.title).width;
  measure.font = "400 11px system-ui, sans-serif";
  const others = [node.sub || "", ...(node.rows || [])].map((text) => measure.measureText(text).width);
  return Math.min(300, Math.max(120, Math.ceil(Math.max(title, ...others)) + 52));
};
// Cut at the end, by measured width: the beginning tells what it is.
const fit = (text, room, font) => {
  measure.font = font;
  if (measure.measureText(text).width <= room) return text;
  let low = 1, high = text.length - 1; // the longest beginning that fits, by halving
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure.measureText(`${text.slice(0, middle).trimEnd()}…`).width <= room) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low).trimEnd()}…`;
};

function draw(box) {
  const data = JSON.parse(document.getElementById(box.dataset.graph).textContent);
  if (!data.nodes?.length) { box.querySelector(".msg").textContent = "Nothing to draw"; return; }
  const widest = Math.min(240, Math.max(...data.nodes.map(width)));
  const sizes = new Map(data.nodes.map((node) => [node.id, widest])); // one width for all: columns line up
  const worker = new Worker(new URL("layout-worker.js", import.meta.url));
  worker.onmessage = ({ data: places }) => { worker.terminate(); show(box, data, sizes, places); };
  worker.onerror = () => { worker.terminate(); box.querySelector(".msg").textContent = "The layout failed; the list has the same data"; };
  worker.postMessage({ nodes: data.nodes.map((node) => ({ id: node.id, w: sizes.get(node.id), h: tall(node) })), edges: data.edges, across: true });
}

function show(box, data, sizes, places) {
  const view = { x: 0, y: 0, k: 1 };
  const world = make("g");
  const svg = make("svg", { role: "group", "aria-label": "Graph" }, world);
  const known = new Map(data.nodes.map((node) => [node.id, node]));
  const at = (id, row) => { const [x, y] = places.nodes[id], node = known.get(id), n = row === undefined ? -1 : node.rows.indexOf(row); return n < 0 ? [x, y] : [x, y - tall(node) / 2 + ROW.first + ROW.each * (n + .5)]; };
  const edges = data.edges.map(([from, to, ...rows], n) => {
    const path = make("path", { class: "edge", d: curve(places.edges[n], at(from, rows[0]), at(to, rows[1]), sizes.get(from)) });
    path.ends = [from, to];
    path.rows = rows;
    world.append(path);
    return path;
  });
  const nodes = new Map();
  for (const node of data.nodes) {
    const element = nodeOf(node, sizes.get(node.id), places.nodes[node.id]);
    nodes.set(node.id, element);
    world.append(element);
  }
  const apply = () => world.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.k})`);
  const whole = () => {
    const w = box.clientWidth, scale = Math.min(1, Math.max(.15, w / places.width));
    const most = box.classList.contains("short") ? 380 : innerHeight * .72;
    box.style.height = `${Math.round(Math.min(most, Math.max(box.classList.contains("short") ? 150 : 320, places.height * scale + 40)))}px`;
    const h = box.clientHeight;
    view.k = Math.min(1, Math.max(.15, Math.min(w / places.width, h / places.height)));
    view.x = (w - places.width * view.k) / 2;
    view.y = (h - places.height * view.k) / 2;
    apply();
  };
  const zoom = (factor, cx = box.clientWidth / 2, cy = box.clientHeight / 2) => {
    const k = Math.min(2.5, Math.max(.08, view.k * factor));
    view.x = cx - (cx - view.x) * (k / view.k);
    view.y = cy - (cy - view.y) * (k / view.k);
    view.k = k;
    apply();
  };
  pan(svg, view, apply, zoom);
  light(nodes, edges);
  if (data.nodes[0].rows) lightColumns(nodes, edges);
  const tools = document.createElement("div");
  tools.className = "tools";
  for (const [icon, words, action] of [["plus", "Zoom in", () => zoom(1.3)], ["minus", "Zoom out", () => zoom(1 / 1.3)], ["fit", "Show all", whole]]) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "button icon small", title: words, ariaLabel: words });
    button.append(make("svg", { class: "i" }, make("use", { href: `${icons}#${icon}` })));
    button.addEventListener("click", action);
    tools.append(button);
  }
  box.replaceChildren(svg, tools);
  whole();
  new ResizeObserver(whole).observe(box);
  if (box.dataset.graph === "near-graph") keepFresh(box, nodes);
}

// What was cut is told on hover.
const tip = (node) => [[node.title, node.label].filter(Boolean).join(" · "), node.sub].filter(Boolean).join("\n");

function nodeOf(node, w, [x, y]) {
  if (node.rows) return tableOf(node, w, [x, y]);
  const link = make("a", { class: `node t-${node.tone}${node.on ? " on" : ""}`, href: node.url, "aria-label": `${node.title}, ${node.label}`, transform: `translate(${x - w / 2} ${y - H / 2})` });
  const text = (value, cls, dy, font) => { const t = make("text", { class: cls, x: 36, y: dy }); t.textContent = fit(value || "", w - 46, font); return t; };
  const title = make("title");
  title.textContent = tip(node);
  link.append(
    title,
    make("rect", { class: "box", width: w, height: H, rx: 7 }),
    make("use", { href: `${icons}#${node.icon}`, x: 12, y: 14, width: 16, height: 16 }),
    text(node.title, "title", node.sub ? 19 : 26, "550 12.5px system-ui, sans-serif"),
    text(node.sub, "sub", 34, "400 11px system-ui, sans-serif"),
  );
  link.dataset.id = node.id;
  return link;
}

// An asset with its columns.
function tableOf(node, w, [x, y]) {
  const link = make("a", { class: `node${node.on ? " on" : ""}`, href: node.url, "aria-label": `${node.title}: ${node.rows.join(", ")}`, transform: `translate(${x - w / 2} ${y - tall(node) / 2})` });
  const text = (value, cls, dy, font) => { const t = make("text", { class: cls, x: 12, y: dy }); t.textContent = fit(value, w - 24, font); return t; };
  const title = make("title");
  title.textContent = tip(node);
  link.append(title, make("rect", { class: "box", width: w, height: tall(node), rx: 7 }), text(node.title, "title", 21, "550 12.5px system-ui, sans-serif"));
  node.rows.forEach((row, n) => {
    const top = ROW.first + ROW.each * n, part = make("g", { class: "column" }, make("rect", { x: 1, y: top, width: w - 2, height: ROW.each, rx: 4 }), text(row, "sub", top + 15, "400 11px system-ui, sans-serif"));
    part.dataset.row = row;
    link.append(part);
  });
  link.dataset.id = node.id;
  return link;
}

// The pointer on a column shows all that it is made of, and all that is made of it.
function lightColumns(nodes, edges) {
  const parts = new Map([...nodes].flatMap(([id, element]) => [...element.querySelectorAll(".column")].map((part) => [JSON.stringify([id, part.dataset.row]), part])));
  const name = (edge, end) => JSON.stringify([edge.ends[end], edge.rows[end]]);
  const reach = (from, start) => {
    const found = new Set([from]), lit = [];
    for (const one of found) for (const edge of edges) if (name(edge, start) === one) { lit.push(edge); found.add(name(edge, 1 - start)); }
    return [found, lit];
  };
  for (const [key, part] of parts) {
    part.addEventListener("pointerenter", () => {
      const [[below, down], [above, up]] = [reach(key, 0), reach(key, 1)], lit = new Set([...down, ...up]);
      for (const [other, each] of parts) each.classList.toggle("on", below.has(other) || above.has(other));
      for (const edge of edges) edge.classList.toggle("on", lit.has(edge));
    });
    part.addEventListener("pointerleave", () => { for (const each of [...parts.values(), ...edges]) each.classList.remove("on"); });
  }
}

// From the right edge of one box to the left edge of the other, level at both ends; long edges keep dagre's way between boxes.
function curve(points, [x0, y0], [x1, y1], w) {
  const way = [[x0 + w / 2, y0], ...(points.length > 3 ? points.slice(1, -1) : []), [x1 - w / 2, y1]];
  let d = `M${way[0].join(" ")}`;
  for (let n = 1; n < way.length; n++) {
    const [ax, ay] = way[n - 1], [bx, by] = way[n], half = (bx - ax) / 2;
    d += `C${ax + half} ${ay} ${bx - half} ${by} ${bx} ${by}`;
  }
  return d;
}

function pan(svg, view, apply, zoom) {
  const held = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", (event) => { held.set(event.pointerId, [event.clientX, event.clientY]); moved = 0; });
  svg.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const other = [...held.entries()].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const box = svg.getBoundingClientRect();
      const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
      zoom(far([event.clientX, event.clientY], other) / Math.max(1, far(before, other)), (event.clientX + other[0]) / 2 - box.left, (event.clientY + other[1]) / 2 - box.top);
    } else {
      view.x += event.clientX - before[0];
      view.y += event.clientY - before[1];
      apply();
    }
    moved += Math.abs(event.clientX - before[0]) + Math.abs(event.clientY - before[1]);
    if (moved > 4) svg.setPointerCapture(event.pointerId);
    held.set(event.pointerId, [event.clientX, event.clientY]);
  });
  for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => held.delete(event.pointerId));
  svg.addEventListener("click", (event) => moved > 4 && event.preventDefault(), true);
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && svg.closest(".short")) return; // the page scrolls over small graphs
    event.preventDefault();
    const box = svg.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
}

function light(nodes, edges) {
  for (const [id, element] of nodes) {
    const on = () => edges.forEach((edge) => edge.classList.toggle("on", edge.ends.includes(id)));
    const off = () => edges.forEach((edge) => edge.classList.remove("on"));
    if (!element.querySelector(".column")) element.addEventListener("pointerenter", on);
    element.addEventListener("focus", on);
    element.addEventListener("pointerleave", off);
    element.addEventListener("blur", off);
  }
}

// A refresh brings new data for the same nodes: only their status is repainted, so nothing jumps.
function keepFresh(box, nodes) {
  document.addEventListener("htmx:afterSwap", () => {
    const now = document.getElementById(box.dataset.graph);
    if (now) repaint(JSON.parse(now.textContent), nodes);
  });
}

function repaint(data, nodes) {
  for (const node of data.nodes || []) {
    const element = nodes.get(node.id);
    if (!element) continue;
    element.setAttribute("class", `node t-${node.tone}${node.on ? " on" : ""}`);
    element.querySelector("use").setAttribute("href", `${icons}#${node.icon}`);
    element.querySelector("title").textContent = tip(node);
    element.setAttribute("aria-label", `${node.title}, ${node.label}`);
  }
}

for (const box of document.querySelectorAll("[data-graph]")) draw(box);
