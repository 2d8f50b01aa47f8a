// What every page shares: theme, menu, copying, relative times, actions, live refresh. Pages read well without any of it.
import { startLive } from "./live.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// ------------------------------------------------------------------ messages
export function toast(text, { bad = false, href = null } = {}) {
  const box = document.createElement("div");
  box.className = bad ? "toast bad" : "toast";
  const words = document.createElement(href ? "a" : "span");
  words.textContent = text;
  if (href) words.href = href;
  box.append(words);
  $("#toasts").append(box);
  setTimeout(() => box.remove(), bad ? 9000 : 4500);
}

// ------------------------------------------------------------------ asking the API
export async function post(url, body, method = "POST") {
  const answer = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-Dagwright-Client": "ui", ...csrf() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  let data = {};
  try { data = JSON.parse(text); } catch { /* an answer without a body */ }
  if (answer.status === 401) location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  if (!answer.ok) {
    const error = new Error(data.detail || `The server answered ${answer.status}`);
    error.problems = data.problems || [];
    throw error;
  }
  return data;
}

// Where a session cookie says who asks, a change says with it that it comes from one of our own pages.
const csrf = () => {
  const token = $('meta[name="csrf-token"]')?.content;
  return token ? { "X-CSRF-Token": token } : {};
};

export const curlOf = (method, path, body) => {
  const url = `${location.origin}${path}`;
  if (method === "GET") return `curl ${quote(url)}`;
  const json = body === undefined ? "" : ` -H 'Content-Type: application/json' -d ${quote(typeof body === "string" ? body : JSON.stringify(body))}`;
  return `curl -X ${method} ${quote(url)}${json}`;
};
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea"); // plain http on a host name: no clipboard API
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast("Copied");
}

// ------------------------------------------------------------------ clicks
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-copy-curl], [data-post], [data-switch], #menu, #theme");
  if (!button) {
    const side = $("#side.open");
    if (side && !event.target.closest("#side")) toggleMenu(false);
    return;
  }
  if (button.id === "menu") return toggleMenu();
  if (button.id === "theme") return toggleTheme();
  event.preventDefault();
  if (button.dataset.copy !== undefined) return copyText(button.dataset.copy);
  if (button.dataset.copyCurl) {
    const [method, path, ...body] = button.dataset.copyCurl.split(" ");
    return copyText(curlOf(method, path, body.length ? body.join(" ") : undefined));
  }
  if (button.dataset.switch) return flip(button);
  if (button.dataset.confirm && !confirm(button.dataset.confirm)) return;
  await act(button);
});

async function act(button) {
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await post(button.dataset.post, button.dataset.body ? JSON.parse(button.dataset.body) : undefined, button.dataset.method);
    if ("goto" in button.dataset && answer.run_id) location.assign(`/runs/${answer.run_id}`);
    else if ("goto" in button.dataset && answer.backfill_id) location.assign(`/backfills/${answer.backfill_id}`);
    else if (button.dataset.then) return location.assign(button.dataset.then);
    else toast(button.dataset.done || "Done");
    if ("reload" in button.dataset) location.reload();
    refreshAll();
  } catch (error) {
    toast(error.message, { bad: true });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// <form data-send="PUT /api/v1/pools/{name}">: fields named in the path go there, the rest into the body, by their kind.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-send]");
  if (!form) return;
  event.preventDefault();
  let [method, path] = form.dataset.send.split(" ");
  const body = {};
  for (const field of form.elements) {
    if (!field.name || field.disabled) continue;
    if (path.includes(`{${field.name}}`)) path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
    else if (field.value !== "" || !("optional" in field.dataset)) body[field.name] = valueOf(field);
  }
  try {
    const answer = await post(path, body, method);
    toast(form.dataset.done || "Done");
    if (form.dataset.reveal) reveal(form, answer[form.dataset.reveal]);
    else if ("reload" in form.dataset) location.reload();
    refreshAll();
  } catch (error) {
    toast([error.message, ...(error.problems || []).slice(1).map((each) => each.message)].join(" · "), { bad: true });
  }
});

function valueOf(field) {
  const { value, type, dataset } = field;
  if (type === "checkbox") return field.checked;
  if (type === "number") return value === "" ? null : Number(value);
  if (dataset.kind === "list") return value.split(",").map((each) => each.trim()).filter(Boolean);
  if (dataset.kind === "map") {
    return Object.fromEntries(value.split(",").filter((each) => each.trim()).map((each) => {
      const [name, role = ""] = each.split("=").map((part) => part.trim());
      return [name, role === "none" ? null : role];
    }));
  }
  return value === "" ? null : value;
}

// A secret that is told once: it stays on the page until one leaves it.
function reveal(form, secret) {
  const box = $(form.dataset.revealIn);
  box.querySelector("code").textContent = secret;
  box.querySelector("[data-copy]").dataset.copy = secret;
  box.hidden = false;
  box.focus();
  form.reset();
}

async function flip(button) {
  const on = button.getAttribute("aria-checked") !== "true";
  button.setAttribute("aria-checked", String(on));
  try {
    await post(`${button.dataset.switch}/${on ? "start" : "stop"}`);
    toast(`${button.getAttribute("aria-label")} is ${on ? "on" : "off"}`);
    refreshAll();
  } catch (error) {
    button.setAttribute("aria-checked", String(!on));
    toast(error.message, { bad: true });
  }
}

export function refreshAll() {
  for (const topic of ["runs", "backfills", "assets", "locations", "instigators", "ticks", "queue", "recovery", "pools"]) document.body.dispatchEvent(new CustomEvent(`live:${topic}`));
}

// ------------------------------------------------------------------ frame
function toggleMenu(open = !$("#side").classList.contains("open")) {
  $("#side").classList.toggle("open", open);
  $("#menu").setAttribute("aria-expanded", String(open));
  if (open) $("#side a").focus();
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && $("#side.open")) { toggleMenu(false); $("#menu").focus(); }
});

export function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("dagwright.theme", root.dataset.theme); } catch { /* it holds for this page */ }
  document.dispatchEvent(new CustomEvent("theme"));
}

// ------------------------------------------------------------------ times
const UNITS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];
function relative(ms) {
  const distance = Math.abs(ms) / 1000;
  if (distance < 1.5) return "now";
  const [size, name] = UNITS.find(([each]) => distance >= each) || UNITS[3];
  const text = `${Math.floor(distance / size)} ${name}`;
  return ms > 0 ? `${text} ago` : `in ${text}`;
}
function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds), pad = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} m ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} m`;
}
// As the server tells moments: in the zone that it names.
export const zone = document.documentElement.dataset.zone || "UTC";
const format = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" });
// How far the zone is ahead of UTC at a moment, in ms.
export const offset = (ms) => Date.parse(`${format.format(ms).replace(" ", "T")}Z`) - Math.floor(ms / 1000) * 1000;
export const exact = (ms) => `${format.format(ms)} ${zone}`;
function tellTimes() {
  const now = Date.now();
  for (const each of $$("time[data-relative]")) {
    const text = relative(now - Date.parse(each.dateTime));
    if (each.textContent !== text) each.textContent = text;
  }
  for (const each of $$("[data-since]")) each.textContent = duration(Math.max(0, (now - Date.parse(each.dataset.since)) / 1000));
  for (const each of $$("time[data-epoch]")) each.textContent = exact(Number(each.dataset.epoch) * 1000);
}
setInterval(tellTimes, 1000);
tellTimes();

// ------------------------------------------------------------------ refreshes
// A refresh must not close what a person has opened, nor change what they are typing.
if (window.Idiomorph) {
  Idiomorph.defaults.ignoreActiveValue = true;
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(name === "open" && node.tagName === "DETAILS") && !(name === "aria-busy");
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.nodeType === 1 && (old.matches("[data-graph], [data-plot], [data-keep]") || old.matches("dialog[open]")));
}
document.addEventListener("htmx:afterSettle", tellTimes);
document.addEventListener("htmx:responseError", (event) => event.detail.xhr.status >= 500 && $("#pulse")?.setAttribute("data-state", "lost"));

for (const form of $$("form[data-auto-submit]")) {
  form.addEventListener("change", () => submit(form));
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(form); });
}
function submit(form) {
  const params = new URLSearchParams();
  for (const [key, value] of new FormData(form)) if (value) params.append(key, value);
  location.assign(form.action.split("?")[0] + (params.size ? `?${params}` : ""));
}

startLive(document.body.dataset.live || "");
