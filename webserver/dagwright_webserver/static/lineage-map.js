// The lineage page: what one does with pointer, keyboard and the panel. lineage-worker.js lays out and paints.
import { choose, offer } from "./assets.js";

const box = document.querySelector("[data-map]");
const data = box && JSON.parse(document.getElementById(box.dataset.map).textContent);
if (data?.keys.length) start();
document.querySelector("[list=asset-keys]")?.addEventListener("focus", () => {
  document.getElementById("asset-keys").replaceChildren(...(data?.keys ?? []).slice(0, 5000).map((value) => Object.assign(document.createElement("option"), { value })));
}, { once: true });

function start() {
  const address = new URLSearchParams(location.search);
  const count = data.keys.length;
  const state = { by: box.dataset.by, folded: new Set((address.get("folded") || "").split(",").filter(Boolean)), hover: -1, focus: -1, chosen: new Set(), hits: null };
  const view = { x: 0, y: 0, k: 1 };
  let places = null, moved = false;
  const canvas = box.querySelector("canvas");
  if (!canvas.transferControlToOffscreen) { box.querySelector(".msg").textContent = "This browser cannot draw it; the list below has the same"; return; }
  const links = linksOf();
  const worker = new Worker(new URL("lineage-worker.js", import.meta.url));
  worker.onerror = () => { box.querySelector(".msg").textContent = "The layout failed; the list below has the same"; };
  const surface = canvas.transferControlToOffscreen();
  const room = () => ({ w: box.clientWidth, h: box.clientHeight, dpr: devicePixelRatio || 1 });
  const send = (kind, more = {}) => worker.postMessage({ kind, ...more });
  worker.postMessage({ kind: "init", canvas: surface, data, colours: colours(), ...room(), by: state.by, folded: [...state.folded] }, [surface]);
  iconShapes().then((icons) => send("look", { icons }));

  worker.onmessage = ({ data: message }) => {
    if (message.kind === "placed") { places = message; if (!moved) begin(); else sendView(); }
    if (message.kind === "painted") { box.querySelector(".msg").hidden = true; box.dataset.state = "drawn"; performance.mark("lineage-drawn"); if (search?.value) searched(); else mark(); }
    if (message.kind === "picture") download(message.blob);
  };

  // ---------------------------------------------------------------- looking around
  const sendView = () => send("view", view);
  const least = () => Math.min(1, (box.clientWidth - 24) / places.w, (box.clientHeight - 24) / places.h);
  function whole() {
    moved = false;
    view.k = least();
    view.x = (box.clientWidth - places.w * view.k) / 2;
    view.y = (box.clientHeight - places.h * view.k) / 2;
    sendView();
  }
  // A small graph on a small screen begins at its left, legible, rather than as a whole that is not.
  function begin() {
    whole();
    if (count > 60 || view.k >= .5) return;
    view.k = .6;
    view.x = 12;
    view.y = (box.clientHeight - places.h * view.k) / 2;
    sendView();
  }
  function zoom(factor, cx = box.clientWidth / 2, cy = box.clientHeight / 2) {
    const k = Math.min(2.5, Math.max(least() * .7, view.k * factor));
    view.x = cx - (cx - view.x) * (k / view.k);
    view.y = cy - (cy - view.y) * (k / view.k);
    view.k = k;
    moved = true;
    sendView();
  }
  function bring(thing, k = view.k) {
    const { x, y, w, h } = boxOf(thing);
    view.k = k;
    view.x = box.clientWidth / 2 - (x + w / 2) * k;
    view.y = box.clientHeight / 2 - (y + h / 2) * k;
    moved = true;
    sendView();
  }
  function keepInSight(thing) {
    const { x, y, w, h } = boxOf(thing), left = x * view.k + view.x, top = y * view.k + view.y;
    if (view.k < .34 || left < 0 || top < 0 || left + w * view.k > box.clientWidth || top + h * view.k > box.clientHeight) bring(thing, Math.max(view.k, .8));
  }

  // ---------------------------------------------------------------- things: assets, and behind them the groups
  const groupOf = (thing) => places.clusters[thing - count];
  const inGroup = (n) => places.clusters[places.home[n]];
  const shown = (n) => !Number.isNaN(places.x[n]);
  const seenAs = (n) => (shown(n) ? n : count + places.home[n]);
  const boxOf = (thing) => (thing >= count ? groupOf(thing) : shown(thing) ? { x: places.x[thing] - places.width / 2, y: places.y[thing] - 22, w: places.width, h: 44 } : inGroup(thing));
  const nameOf = (thing) => (thing >= count ? groupOf(thing).name : data.keys[thing]);
  const url = (n) => `/assets/${encodeURIComponent(data.keys[n]).replaceAll("%2F", "/")}`;
  const members = (thing) => data.keys.map((_, n) => n).filter((n) => count + places.home[n] === thing);
  function at(px, py) {
    const x = (px - view.x) / view.k, y = (py - view.y) / view.k;
    for (let n = 0; n < count; n++) if (Math.abs(places.x[n] - x) <= places.width / 2 && Math.abs(places.y[n] - y) <= 22) return n;
    const n = places.framed ? places.clusters.findIndex((c) => x >= c.x && x <= c.x + c.w && y >= c.y && y <= c.y + c.h) : -1;
    return n < 0 ? -1 : count + n;
  }
  function words(thing) {
    if (thing < count) return `${data.keys[thing]} · ${data.statuses[data.status[thing]].label}${data.kinds[thing] ? ` · ${data.kinds[thing]}` : ""}`;
    const tally = new Map();
    for (const n of members(thing)) tally.set(data.status[n], (tally.get(data.status[n]) || 0) + 1);
    return `${nameOf(thing)} · ${groupOf(thing).count.toLocaleString("en")} assets · ${[...tally].sort(([a], [b]) => a - b).map(([s, n]) => `${n.toLocaleString("en")} ${data.statuses[s].label.toLowerCase()}`).join(", ")}`;
  }
  function mark() {
    if (places) send("marks", { hover: state.hover, focus: state.focus, chosen: [...state.chosen], hits: state.hits });
  }
  const panel = box.querySelector(".panel"), tip = box.querySelector(".tip"), told = box.querySelector("[role=status]");

  function focus(thing, { look = true } = {}) {
    state.focus = thing;
    tip.hidden = true;
    panel.hidden = thing < 0;
    if (thing < 0) return mark();
    if (look) keepInSight(thing);
    const isAsset = thing < count;
    panel.querySelector("h3").textContent = nameOf(thing);
    panel.querySelector("p").textContent = words(thing).slice(nameOf(thing).length + 3);
    for (const each of panel.querySelectorAll("[data-of]")) each.hidden = each.dataset.of !== (isAsset ? "asset" : "group");
    if (isAsset) {
      panel.querySelector("[data-open-asset]").href = url(thing);
      panel.querySelector("[data-around]").href = `/lineage?${new URLSearchParams({ asset: data.keys[thing] })}`;
      panel.querySelector("[data-choose]").hidden = !data.made[thing];
      panel.querySelector("[data-choose]").textContent = state.chosen.has(thing) ? "Not this one" : "Choose";
    } else {
      panel.querySelector("[data-fold]").textContent = groupOf(thing).folded ? "Unfold" : "Fold";
      panel.querySelector("[data-group]").href = `/lineage?${new URLSearchParams({ [state.by]: nameOf(thing) })}`;
      panel.querySelector("[data-group]").hidden = state.by !== "group";
    }
    told.textContent = words(thing);
    mark();
  }

  function toggle(things) {
    const able = things.filter((n) => data.made[n]);
    const off = able.every((n) => state.chosen.has(n));
    for (const n of able) off ? state.chosen.delete(n) : state.chosen.add(n);
    tellChosen();
  }
  const asset = (n) => ({ key: data.keys[n], partitioned: Boolean(data.partitioned[n]) });
  const tellChosen = () => choose([...state.chosen].map(asset));
  // By the page, or elsewhere: by the bar that counts them, or a button that takes all.
  const index = new Map(data.keys.map((key, n) => [key, n]));
  document.addEventListener("chosen", ({ detail }) => {
    state.chosen = new Set(detail.map((key) => index.get(key)));
    if (state.focus >= 0) focus(state.focus, { look: false });
    else mark();
  });

  function refold(names) {
    state.folded = new Set(names);
    const search = new URLSearchParams(location.search);
    if (names.length) search.set("folded", names.join(","));
    else search.delete("folded");
    history.replaceState(null, "", `${location.pathname}${search.size ? `?${search}` : ""}`);
    moved = false;
    focus(-1);
    state.hover = -1;
    send("fold", { by: state.by, folded: names });
  }
  const fold = (thing) => { const { name, folded } = groupOf(thing); refold(folded ? [...state.folded].filter((each) => each !== name) : [...state.folded, name]); };

  // ---------------------------------------------------------------- keyboard
  function step(key) {
    if (state.focus < 0) return focus(seenAs(0));
    const here = boxOf(state.focus), middle = (thing) => { const b = boxOf(thing); return [b.x + b.w / 2, b.y + b.h / 2]; };
    const [x, y] = middle(state.focus);
    const things = key === "ArrowLeft" || key === "ArrowRight" ? links(state.focus, key === "ArrowRight", places, count, seenAs)
      : [...data.keys.keys(), ...places.clusters.keys()].map((n, at_) => (at_ < count ? seenAs(n) : count + n))
        .filter((thing) => { const [a, b] = middle(thing); return (thing < count) === (state.focus < count) && Math.abs(a - x) < here.w && (key === "ArrowDown" ? b > y + 1 : b < y - 1); });
    const far = (thing) => { const [a, b] = middle(thing); return Math.hypot((a - x) / 4, b - y); };
    const next = things.reduce((best, thing) => (best < 0 || far(thing) < far(best) ? thing : best), -1);
    if (next >= 0) focus(next);
    else told.textContent = `Nothing ${{ ArrowLeft: "upstream", ArrowRight: "downstream", ArrowUp: "above", ArrowDown: "below" }[key]}`;
  }
  canvas.addEventListener("keydown", (event) => {
    if (!places || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      Enter: () => (state.focus < 0 ? null : state.focus < count ? location.assign(url(state.focus)) : fold(state.focus)),
      " ": () => state.focus >= 0 && toggle(state.focus < count ? [state.focus] : members(state.focus)),
      Escape: () => focus(-1), "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), 0: whole,
      f: () => state.focus >= 0 && places.framed && fold(state.focus < count ? count + places.home[state.focus] : state.focus),
    }[event.key] ?? (event.key.startsWith("Arrow") ? () => step(event.key) : null);
    if (!act) return;
    event.preventDefault();
    act();
  });

  // ---------------------------------------------------------------- pointer
  const held = new Map();
  let far = 0;
  const here = (event) => { const r = canvas.getBoundingClientRect(); return [event.clientX - r.left, event.clientY - r.top]; };
  canvas.addEventListener("pointerdown", (event) => { held.set(event.pointerId, here(event)); far = 0; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => {
    if (!places) return;
    const now = here(event), before = held.get(event.pointerId);
    if (!before) return hover(now);
    const other = [...held].find(([id]) => id !== event.pointerId)?.[1];
    const apart = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (other) zoom(apart(now, other) / Math.max(1, apart(before, other)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    else { view.x += now[0] - before[0]; view.y += now[1] - before[1]; moved = true; sendView(); }
    far += apart(now, before);
    held.set(event.pointerId, now);
    tip.hidden = true;
  });
  canvas.addEventListener("pointerup", (event) => {
    held.delete(event.pointerId);
    if (far > 4 || held.size || !places) return;
    const thing = at(...here(event));
    if (event.ctrlKey || event.metaKey) { if (thing >= 0 && thing < count) open(url(thing), "_blank", "noopener"); return; }
    if (event.shiftKey && thing >= 0) return toggle(thing < count ? [thing] : members(thing));
    if (thing >= count && thing === state.focus) return fold(thing);
    focus(thing, { look: false });
  });
  canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => { state.hover = -1; tip.hidden = true; mark(); });
  canvas.addEventListener("dblclick", (event) => { const thing = places ? at(...here(event)) : -1; if (thing >= 0 && thing < count) location.assign(url(thing)); });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); if (places) zoom(Math.exp(-event.deltaY / 400), ...here(event)); }, { passive: false });
  function hover([x, y]) {
    const thing = at(x, y);
    canvas.classList.toggle("over", thing >= 0);
    if (thing !== state.hover) { state.hover = thing; mark(); tip.textContent = thing >= 0 ? words(thing) : ""; }
    tip.hidden = thing < 0;
    tip.style.setProperty("translate", `${Math.min(x + 14, box.clientWidth - tip.offsetWidth - 8)}px ${Math.min(y + 14, box.clientHeight - tip.offsetHeight - 8)}px`);
  }

  // ---------------------------------------------------------------- buttons, search
  const names = () => places.clusters.map(({ name }) => name);
  box.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do], [data-fold], [data-choose], [data-choose-with]");
    if (!button || !places) return;
    if ("fold" in button.dataset) return fold(state.focus);
    if ("choose" in button.dataset) return toggle([state.focus]);
    if ("chooseWith" in button.dataset) {
      const found = button.dataset.chooseWith === "members" ? members(state.focus) : reach(state.focus, button.dataset.chooseWith === "downstream");
      for (const n of found) if (data.made[n]) state.chosen.add(n);
      return tellChosen();
    }
    ({ in: () => zoom(1.3), out: () => zoom(1 / 1.3), fit: whole, close: () => focus(-1), fold: () => refold(names()), unfold: () => refold([]), picture: () => send("picture") })[button.dataset.do]();
  });
  const reach = (from, down) => {
    const found = new Set([from]), next = [from];
    for (const n of next) for (const each of links.near(n, down)) if (!found.has(each)) { found.add(each); next.push(each); }
    return [...found];
  };
  offer({ all: async () => [...data.keys.keys()].filter((n) => data.made[n]).map(asset), scope: box.dataset.scope });
  const find = (n) => { bring(seenAs(n), Math.max(view.k, .8)); focus(seenAs(n), { look: false }); };
  const search = document.getElementById("graph-search");
  const searched = () => {
    const text = search.value.trim().toLowerCase();
    state.hits = text ? data.keys.map((key, n) => (key.toLowerCase().includes(text) ? n : -1)).filter((n) => n >= 0) : null;
    told.textContent = state.hits ? `${state.hits.length} found` : "";
    if (state.hits?.length === 1 && places) find(state.hits[0]);
    mark();
  };
  search?.addEventListener("input", searched);
  search?.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (!state.hits?.length || !places) return;
    const after = state.hits.findIndex((n) => n > state.focus);
    find(state.hits[after < 0 ? 0 : after]); // Enter again goes to the next one
  });
  search?.addEventListener("change", (event) => event.stopPropagation());

  // ---------------------------------------------------------------- what changes
  const repaint = () => send("look", { colours: colours() });
  document.addEventListener("theme", repaint);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  new ResizeObserver(() => { send("size", room()); if (places && !moved) begin(); }).observe(box);
  follow((status) => { data.status = status; send("status", { status }); if (state.focus >= 0) focus(state.focus, { look: false }); });
}

// A hint that something changed asks for the statuses anew, which the browser's cache answers when nothing has.
function follow(tell) {
  const index = new Map(data.statuses.map(({ status }, n) => [status, n]));
  const place = new Map(data.keys.map((key, n) => [key, n]));
  let due = null, wait = 300, seen = null;
  const fetchAnew = async () => {
    const began = performance.now();
    const answer = await fetch(`/api/v1/lineage/statuses?${box.dataset.scope}`).catch(() => null);
    if (answer?.ok && answer.headers.get("etag") !== seen) {
      seen = answer.headers.get("etag");
      const status = data.status.slice();
      for (const [word, keys] of Object.entries((await answer.json()).keys)) for (const key of keys) if (place.has(key)) status[place.get(key)] = index.get(word);
      if (status.some((each, n) => each !== data.status[n])) tell(status);
    }
    wait = Math.max(300, 6 * (performance.now() - began));
    due = null;
  };
  for (const topic of ["assets", "runs"]) document.body.addEventListener(`live:${topic}`, () => { due ??= setTimeout(fetchAnew, wait); });
  setInterval(() => { due ??= setTimeout(fetchAnew); }, 30000);
}

// thing -> the things directly down- or upstream of it.
function linksOf() {
  const down = data.keys.map(() => []), up = data.keys.map(() => []);
  for (let n = 0; n < data.edges.length; n += 2) { down[data.edges[n]].push(data.edges[n + 1]); up[data.edges[n + 1]].push(data.edges[n]); }
  const links = (thing, forward, places, count, seenAs) => {
    const lists = forward ? down : up;
    if (thing < count) return [...new Set(lists[thing].map(seenAs))];
    return [...new Set(data.keys.map((_, n) => n).filter((n) => count + places.home[n] === thing).flatMap((n) => lists[n]).map((n) => count + places.home[n]))].filter((each) => each !== thing);
  };
  links.near = (n, forward) => (forward ? down : up)[n];
  return links;
}

function colours() {
  const probe = Object.assign(document.createElement("i"), { className: "sr" });
  document.body.append(probe);
  const found = {};
  for (const name of ["bg", "sunken", "raised", "line", "line-strong", "ink", "ink-3", "accent", "accent-soft", ...["success", "failure", "running", "warning", "neutral"].flatMap((tone) => [tone, `${tone}-fill`])]) {
    probe.style.setProperty("color", `var(--${name})`);
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// The marks of icons.svg as paths that a canvas can draw.
async function iconShapes() {
  const sheet = document.querySelector("use").getAttribute("href").split("#")[0];
  const drawing = new DOMParser().parseFromString(await (await fetch(sheet)).text(), "image/svg+xml");
  const round = (e) => { const [x, y, r] = ["cx", "cy", "r"].map((name) => Number(e.getAttribute(name))); return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`; };
  const paint = (value) => (!value || value === "none" ? null : value === "currentColor" ? "tone" : "knock");
  const shapes = (symbol) => [...symbol.querySelectorAll("path, circle")].map((e) => {
    const of = (name) => e.getAttribute(name) ?? symbol.getAttribute(name);
    return {
      d: e.tagName === "circle" ? round(e) : e.getAttribute("d"), fill: paint(of("fill")), stroke: paint(of("stroke")),
      width: Number(of("stroke-width") || 1), dash: (of("stroke-dasharray") || "").split(" ").filter(Boolean).map(Number), alpha: Number(of("stroke-opacity") || 1),
    };
  });
  return Object.fromEntries([...new Set([...data.statuses.map(({ icon }) => icon), "minus"])].map((name) => [name, shapes(drawing.getElementById(name))]));
}

function download(blob) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "lineage.png" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
