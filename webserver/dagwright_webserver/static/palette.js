// The frame's keyboard: the command palette, shortcuts, and how things look.
import { toggleTheme } from "./app.js";

const $ = (selector) => document.querySelector(selector);
const dialog = $("#palette"), input = dialog.querySelector("input"), list = $("#palette-hits");
const ICONS = { run: "runs", job: "jobs", schedule: "automation", sensor: "automation", location: "deployment", resource: "op", check: "check", group: "lineage", page: "chevron" };
const PAGES = [...document.querySelectorAll("#side nav a")].map((link) => ({ kind: "page", name: link.textContent.trim(), about: "", url: link.getAttribute("href") }))
  .concat([["Lineage", "/lineage"], ["Backfills", "/backfills"], ["Simulation", "/automation/simulation"], ["REST API", "/docs"]].map(([name, url]) => ({ kind: "page", name, about: "", url })));
let turn = 0, hits = [], at = 0;

// ------------------------------------------------------------------ the palette
function open() {
  if (dialog.open) return;
  dialog.showModal();
  input.select();
  look();
}

async function look() {
  const words = input.value.trim(), mine = ++turn;
  const pages = PAGES.filter((each) => words && each.name.toLowerCase().startsWith(words.toLowerCase()));
  if (!words) return show(PAGES);
  try {
    const answer = await fetch(`/api/v1/search?${new URLSearchParams({ q: words })}`);
    if (mine === turn && answer.ok) show([...pages, ...(await answer.json()).items]);
  } catch { /* the server is away: what is listed stays */ }
}

function show(found) {
  hits = found;
  at = 0;
  list.replaceChildren(...found.map((hit, n) => {
    const line = document.createElement("li"), name = document.createElement("span"), about = document.createElement("span");
    line.id = `hit-${n}`;
    line.setAttribute("role", "option");
    line.dataset.url = hit.url;
    line.append(icon(ICONS[hit.kind] || "assets"), name, about);
    name.className = "name";
    name.textContent = hit.name;
    about.className = "quiet small clip";
    about.textContent = [hit.kind === "page" ? "" : hit.kind, hit.about].filter(Boolean).join(" · ");
    return line;
  }));
  if (!found.length) list.replaceChildren(Object.assign(document.createElement("li"), { className: "quiet", role: "option", textContent: "Nothing fits" }));
  mark();
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${list.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

function mark(move = 0) {
  at = hits.length ? (at + move + hits.length) % hits.length : 0;
  [...list.children].forEach((each, n) => each.setAttribute("aria-selected", String(n === at)));
  list.children[at]?.scrollIntoView({ block: "nearest" });
  input.setAttribute("aria-activedescendant", hits.length ? `hit-${at}` : "");
}

input.addEventListener("input", look);
input.addEventListener("keydown", (event) => {
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
  if (event.key === "Escape") { event.preventDefault(); return dialog.close(); } // else it would but empty the field
  if (event.key in moves) { event.preventDefault(); mark(moves[event.key]); }
});
dialog.querySelector("form").addEventListener("submit", (event) => {
  if (!hits[at]) return;
  event.preventDefault();
  go(hits[at].url);
});
list.addEventListener("click", (event) => {
  const line = event.target.closest("[data-url]");
  if (line) go(line.dataset.url);
});
function go(url) {
  dialog.close();
  location.assign(url);
}

// ------------------------------------------------------------------ shortcuts
const SECTIONS = { o: "/", r: "/runs", a: "/assets", j: "/jobs", u: "/automation", d: "/deployment", l: "/lineage" };
let leader = 0;

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); return open(); }
  const where = event.composedPath()[0];
  const typing = where instanceof Element && where.closest("input, textarea, select, [contenteditable]");
  if (event.ctrlKey || event.metaKey || event.altKey || typing || $("dialog[open]")) return;
  if (Date.now() - leader < 1500 && event.key in SECTIONS) { leader = 0; return location.assign(SECTIONS[event.key]); }
  leader = event.key === "g" ? Date.now() : 0;
  if (event.key === "?") $("#shortcuts").showModal();
  else if (event.key === "t") toggleTheme();
  else if (event.key === "j" || event.key === "k") row(event.key === "j" ? 1 : -1);
  else if (event.key === "/") {
    const search = $('main input[type="search"]:not([hidden])');
    event.preventDefault();
    if (search?.offsetParent) search.focus();
    else open();
  }
});

// The first link of each row of the page's tables takes the focus.
function row(move) {
  const rows = [...document.querySelectorAll("main tbody tr")].map((each) => each.querySelector("a[href]")).filter((link) => link?.offsetParent);
  if (!rows.length) return;
  const now = rows.findIndex((link) => link.closest("tr").contains(document.activeElement));
  rows[now < 0 ? (move > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, now + move))].focus();
}

// ------------------------------------------------------------------ appearance
const root = document.documentElement;
const kept = (name) => { try { return localStorage.getItem(`dagwright.${name}`) || ""; } catch { return ""; } };
function keep(name, value) {
  try { if (value) localStorage.setItem(`dagwright.${name}`, value); else localStorage.removeItem(`dagwright.${name}`); } catch { /* it holds for this page */ }
}
for (const name of ["theme", "palette"]) {
  const select = $(`#appearance-${name}`);
  select.addEventListener("change", () => {
    keep(name, select.value);
    if (select.value) root.dataset[name] = select.value;
    else delete root.dataset[name];
    document.dispatchEvent(new CustomEvent("theme"));
  });
}
const zone = $("#appearance-zone");
zone?.addEventListener("change", () => {
  const name = zone.value.trim(), known = !name || name === "UTC" || Intl.supportedValuesOf("timeZone").includes(name);
  zone.setCustomValidity(known ? "" : "There is no such time zone");
  if (!zone.reportValidity()) return;
  keep("zone", name);
  document.cookie = `dagwright_zone=${encodeURIComponent(name || Intl.DateTimeFormat().resolvedOptions().timeZone)};path=/;max-age=31536000;samesite=lax`;
  location.reload(); // all of the page is told anew
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-palette-open]")) { event.preventDefault(); open(); }
  if (event.target.closest("[data-open-shortcuts]")) $("#shortcuts").showModal();
  if (event.target.closest("[data-open-appearance]")) {
    $("#appearance-theme").value = kept("theme");
    $("#appearance-palette").value = kept("palette");
    if (zone) {
      zone.value = kept("zone");
      $("#appearance-zones").replaceChildren(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((value) => new Option("", value)));
    }
    $("#appearance").showModal();
  }
  if (event.target.closest("[data-shut]") || event.target.matches("dialog#palette, dialog#shortcuts, dialog#appearance")) event.target.closest("dialog").close();
});
