// One EventSource for the page. What it hears is only a hint that something changed: regions then fetch themselves anew
// (and do so every 30 s in any case). A hidden tab lets go of its connection, since a browser grants few per host.
const GAP = 400; // ms between two refreshes of the same topic; the last hint of a burst is never lost

let source = null;
let following = "";
const timers = new Map();
const waiting = new Set();

export function startLive(topics) {
  following = topics;
  if (!topics) return tell("");
  // From then on htmx knows the parts of the page: a hint that comes earlier would be lost.
  if (document.readyState === "complete") connect();
  else document.addEventListener("DOMContentLoaded", connect, { once: true });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else { connect(); announce(); }
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && connect());
}

function connect() {
  if (source || document.hidden) return;
  const run = following.startsWith("runs:") ? following.slice(5) : null;
  let url = `/api/v1/stream?topics=${encodeURIComponent(following)}`;
  if (run) {
    const card = document.querySelector("[data-last-seq]");
    if (card?.dataset.final === "yes") return tell("live", "Complete");
    url = `/api/v1/runs/${run}/stream?brief=true`;
  }
  source = new EventSource(url);
  let lost = false;
  source.onopen = () => { tell("live", "Live"); if (lost) announce(); lost = false; };
  source.onerror = () => { lost = true; tell("lost", "Reconnecting"); if (source?.readyState === EventSource.CLOSED) { source = null; setTimeout(connect, 3000); } };
  source.addEventListener("change", (event) => hint(JSON.parse(event.data).topic));
  source.addEventListener("progress", (event) => progress(JSON.parse(event.data)));
  source.addEventListener("end", () => { close(); hint("runs"); tell("live", "Complete"); document.dispatchEvent(new CustomEvent("run-end")); });
}

// A run that only talks changes nothing but its events.
let steps = "";
function progress(run) {
  const now = JSON.stringify([run.status, run.step_counts, run.attempts]);
  if (now !== steps) hint("runs");
  steps = now;
  document.dispatchEvent(new CustomEvent("run-event", { detail: { seq: run.last_seq } }));
}

function close() {
  source?.close();
  source = null;
}

function hint(topic) {
  if (timers.has(topic)) { waiting.add(topic); return; }
  document.body.dispatchEvent(new CustomEvent(`live:${topic}`));
  timers.set(topic, setTimeout(() => {
    timers.delete(topic);
    if (waiting.delete(topic)) hint(topic);
  }, GAP));
}

// After a gap anything may have changed.
function announce() {
  for (const topic of following.split(",")) hint(topic.split(":")[0]);
}

function tell(state, words = "") {
  const pulse = document.getElementById("pulse");
  if (!pulse) return;
  pulse.dataset.state = state;
  pulse.textContent = words;
  pulse.hidden = !words;
}
