// The page of a run: its events as they happen (run-log.js keeps their list), captured output followed.
import { offset, post, toast } from "./app.js";
import { RunLog } from "./run-log.js";

const card = document.getElementById("events-card");
const run = card.dataset.run;
const form = card.querySelector("[data-event-filter]");
const NAMES = ["level", "type", "step", "text"];

const filters = () => new URLSearchParams(NAMES.map((name) => [name, form.elements[name].value]).filter(([name, value]) => value && !(name === "level" && value === "DEBUG")));
const marking = () => form.elements.others.checked && filters().size > 0;

const log = new RunLog(card, {
  filters,
  marking,
  onCount(count, hits, following) {
    const number = (value) => value.toLocaleString("en");
    card.querySelector("#log-count-words").textContent = hits === null ? (filters().size ? `${number(count)} fit` : `${number(count)} events`) : `${number(hits)} of ${number(count)} fit`;
    card.querySelector("#follow").setAttribute("aria-pressed", String(following));
    for (const button of card.querySelectorAll("[data-seek=match]")) button.hidden = hits === null;
  },
});
const at = Number(new URLSearchParams(location.search).get("at")) || null;
log.start({ at }).then(() => at && card.scrollIntoView()).catch((error) => toast(`The events did not come: ${error.message}`, { bad: true }));

// Chosen steps of an ended run, again.
document.addEventListener("submit", async (event) => {
  const chosen = event.target.closest("[data-rerun]");
  if (!chosen) return;
  event.preventDefault();
  const steps = new FormData(chosen).getAll("step");
  if (!steps.length) return toast("Choose a step", { bad: true });
  try {
    location.assign(`/runs/${(await post(chosen.dataset.rerun, { steps, downstream: chosen.elements.downstream.checked })).run_id}`);
  } catch (error) {
    toast(error.message, { bad: true });
  }
});

// Filters change the list in place and the address with it.
let settled = 0;
function refilter() {
  const params = new URLSearchParams(location.search); // the chart of steps has its own share of the address
  for (const name of [...NAMES, "others", "at", "before"]) params.delete(name);
  for (const [name, value] of filters()) params.set(name, value);
  if (form.elements.others.checked) params.set("others", "on");
  history.replaceState(null, "", `/runs/${run}${params.size ? `?${params}` : ""}`);
  log.start().catch((error) => toast(error.message, { bad: true }));
}
form.addEventListener("submit", (event) => { event.preventDefault(); refilter(); });
form.addEventListener("change", (event) => event.target.name !== "text" && refilter());
form.elements.text.addEventListener("input", () => { clearTimeout(settled); settled = setTimeout(refilter, 250); });

// ------------------------------------------------------------------ the chart of steps
// Its controls are links and a form; here they change the chart alone, and the address.
async function soft(part, url) {
  const params = new URLSearchParams(url.search);
  for (const [name, value] of [...params]) if (!value) params.delete(name);
  history.replaceState(null, "", `${url.pathname}${params.size ? `?${params}` : ""}`);
  params.set("_part", part);
  await htmx.ajax("GET", `${url.pathname}?${params}`, { target: `#${part}`, swap: "morph:outerHTML" });
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-soft] a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  soft(link.closest("[data-soft]").dataset.soft, new URL(link.href));
});
for (const kind of ["change", "submit"]) {
  document.addEventListener(kind, (event) => {
    const controls = event.target.closest("[data-soft] form");
    if (!controls) return;
    event.preventDefault();
    const url = new URL(location.href);
    url.searchParams.delete("row");
    for (const name of ["steps", "sort"]) url.searchParams.set(name, controls.elements[name].value);
    soft(controls.closest("[data-soft]").dataset.soft, url);
  });
}

// ------------------------------------------------------------------ going to a place
const ERRORS = new URLSearchParams({ level: "ERROR" });
card.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-seek], #follow");
  if (!button) return;
  if (button.id === "follow") return log.follow(button.getAttribute("aria-pressed") !== "true");
  const found = await log.seek(button.dataset.seek === "error" ? ERRORS : null, button.dataset.to === "next");
  if (found === null) toast(button.dataset.seek === "error" ? `There is no error ${button.dataset.to === "next" ? "further down" : "further up"}` : "There is no other match that way");
});

// A number, a time of day or a moment, or a step.
const goTo = document.getElementById("go-to");
goTo.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = goTo.elements.place.value.trim().replace(/^#/, "");
  if (!text) return;
  const seq = await placeOf(text);
  if (seq === null) toast(`No event at ${text}: give a number, a time such as 14:05:09, or a step`, { bad: true });
  else await log.jump(seq);
});

async function placeOf(text) {
  if (/^\d+$/.test(text)) return Number(text);
  const time = /^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$/.test(text) ? onDay(text) : /^\d{4}-\d\d-\d\d/.test(text) ? text : null;
  const params = time ? { since: time } : { step: text };
  const answer = await fetch(`/api/v1/runs/${run}/events?${new URLSearchParams({ ...params, limit: 1 })}`);
  return answer.ok ? (await answer.json()).items[0]?.seq ?? null : null;
}

// A time of day is on the day of the start, or on the next where the run began later than that.
function onDay(text) {
  const start = new Date(card.dataset.started || Date.now());
  const padded = text.padStart(text.indexOf(":") === 1 ? text.length + 1 : 0, "0");
  const ahead = offset(start.getTime()); // it is read as it is told: in the zone of the page
  const found = Date.parse(`${new Date(start.getTime() + ahead).toISOString().slice(0, 10)}T${padded}Z`) - ahead;
  return new Date(found < start && start - found > 12 * 3600e3 ? found + 86400e3 : found).toISOString();
}

document.addEventListener("run-event", (event) => {
  document.getElementById("event-count").textContent = event.detail.seq.toLocaleString("en");
  card.dataset.lastSeq = String(event.detail.seq);
  log.grow();
  followOutput();
});
document.addEventListener("run-end", () => { card.dataset.final = "yes"; listed = 0; log.grow(true); followOutput(); });
if (card.dataset.final !== "yes") setInterval(() => card.dataset.final !== "yes" && log.grow(), 30000);

// ------------------------------------------------------------------ output
const output = document.getElementById("output");
const pick = document.getElementById("log-pick");
const MOST = 500; // streams to choose from
const SHOWN = 400_000; // characters kept in the page; the download has all
let next = Number(output.dataset.next);
let reading = false;
let more = false;

function picked() {
  const option = pick.selectedOptions[0];
  return option?.dataset.step ? { step: option.dataset.step, stream: option.dataset.stream, attempt: option.dataset.attempt } : null;
}

async function followOutput() {
  if (reading) { more = true; return; }
  reading = true;
  try {
    do {
      more = false;
      await listLogs();
      const which = picked();
      if (!which) break;
      const answer = await fetch(`/api/v1/runs/${run}/logs?${new URLSearchParams({ ...which, offset: next })}`);
      if (!answer.ok) break;
      const piece = await answer.json();
      if (piece.text) {
        const follow = output.scrollHeight - output.scrollTop - output.clientHeight < 60;
        output.append(piece.text);
        if (output.textContent.length > SHOWN) output.textContent = "… the beginning is in the download\n" + output.textContent.slice(-SHOWN / 2);
        next = piece.next_offset;
        if (follow) output.scrollTop = output.scrollHeight;
        if (next < piece.size) more = true;
      }
    } while (more);
  } catch { /* tried again with the next event */ } finally { reading = false; }
}

// Output comes without events of its own, so a run that goes on is asked for more now and then.
setInterval(() => card.dataset.final !== "yes" && !document.hidden && followOutput(), 1500);
let listed = 0;
async function listLogs() {
  if (Date.now() - listed < 1000 && picked()) return;
  listed = Date.now();
  const answer = await fetch(`/api/v1/runs/${run}/logs`);
  if (!answer.ok) return;
  // The first one to appear is shown: of what came together, that is what the step itself printed.
  const found = (await answer.json()).items.sort((a, b) => (a.stream !== "stdout") - (b.stream !== "stdout"));
  const known = new Set([...pick.options].map((option) => option.value));
  for (const each of found) {
    if (pick.options.length >= MOST) break; // of the others, the chart of steps leads to their output
    if (!known.has(`${each.step_key}:${each.attempt}:${each.stream}`)) offer(each);
  }
  document.getElementById("log-count").textContent = found.length.toLocaleString("en");
}

function offer({ step_key: step, attempt, stream }) {
  if (pick.options[0] && !pick.options[0].value) pick.options[0].remove();
  const option = new Option(`${step} · ${stream}${attempt > 1 ? ` · attempt ${attempt}` : ""}`, `${step}:${attempt}:${stream}`);
  Object.assign(option.dataset, { step, attempt, stream });
  pick.add(option);
  return option;
}

// From a step straight to what it printed, without a reload.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-log]");
  if (!link || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  listed = 0; // the steps may know of output that the list here does not
  await listLogs().catch(() => {});
  const [, step, attempt, stream] = /^(.*):(\d+):(\w+)$/s.exec(link.dataset.log);
  const option = [...pick.options].find((each) => each.value === link.dataset.log) || offer({ step_key: step, attempt: Number(attempt), stream });
  pick.value = option.value;
  pick.dispatchEvent(new Event("change"));
  document.getElementById("logs").scrollIntoView({ block: "start" });
  pick.focus({ preventScroll: true });
});

pick.addEventListener("change", () => {
  output.textContent = "";
  next = 0;
  const which = picked();
  const link = document.getElementById("log-download");
  if (link && which) link.href = `/api/v1/runs/${run}/logs/raw?${new URLSearchParams(which)}`;
  followOutput();
});
