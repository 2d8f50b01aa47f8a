// The page of a run: events appended as they happen, earlier ones on demand, captured output followed.
const card = document.getElementById("events-card");
const list = document.getElementById("events");
const rows = document.getElementById("event-rows");
const run = card.dataset.run;
const MOST = 2000; // rows kept in the page; older ones are a click away, so a run of any size stays quick

let last = Number(card.dataset.lastSeq);
let fetching = false;
let again = false;

const nearEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60;
if (rows.childElementCount) list.scrollTop = card.dataset.final === "yes" ? 0 : list.scrollHeight;

const filters = () => new URLSearchParams([...new FormData(document.querySelector("[data-event-filter]"))].filter(([, value]) => value));

async function page(extra) {
  const params = filters();
  params.set("_part", "run_events");
  for (const [key, value] of Object.entries(extra)) params.set(key, value);
  const answer = await fetch(`/runs/${run}?${params}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok) throw new Error(`events: ${answer.status}`);
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  return [...holder.content.querySelectorAll(".event")];
}

// A hint that there are events after `last`; hints that come meanwhile are answered by one more fetch.
async function grow() {
  if (fetching) { again = true; return; }
  fetching = true;
  try {
    do {
      again = false;
      const fresh = (await page({ after: last })).filter((row) => Number(row.dataset.seq) > last);
      if (!fresh.length) break;
      const follow = nearEnd();
      rows.append(...fresh);
      last = Number(fresh.at(-1).dataset.seq);
      card.dataset.lastSeq = String(Math.max(last, Number(card.dataset.lastSeq)));
      while (rows.childElementCount > MOST) rows.firstElementChild.remove();
      list.querySelector(".empty")?.remove();
      if (follow) list.scrollTop = list.scrollHeight;
      if (fresh.length >= 200) again = true;
    } while (again);
  } catch { /* the next hint or the slow poll tries again */ } finally { fetching = false; }
}

document.addEventListener("run-event", (event) => {
  document.getElementById("event-count").textContent = event.detail.seq.toLocaleString("en");
  card.dataset.lastSeq = String(event.detail.seq);
  grow();
  followOutput();
});
document.addEventListener("run-end", () => { card.dataset.final = "yes"; listed = 0; grow(); followOutput(); });
if (card.dataset.final !== "yes") setInterval(() => card.dataset.final !== "yes" && grow(), 30000);

document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-before]");
  if (!link) return;
  event.preventDefault();
  const older = await page({ before: link.dataset.before });
  const height = list.scrollHeight;
  rows.prepend(...older);
  list.scrollTop += list.scrollHeight - height;
  const first = Number(rows.firstElementChild?.dataset.seq || 1);
  if (first <= 1 || older.length < 400) document.getElementById("earlier").remove();
  else link.dataset.before = String(first);
});

// ------------------------------------------------------------------ output
const output = document.getElementById("output");
const pick = document.getElementById("log-pick");
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
  for (const each of found) {
    const value = `${each.step_key}:${each.attempt}:${each.stream}`;
    if ([...pick.options].some((option) => option.value === value)) continue;
    if (pick.options[0] && !pick.options[0].value) pick.options[0].remove();
    const option = new Option(`${each.step_key} · ${each.stream}${each.attempt > 1 ? ` · attempt ${each.attempt}` : ""}`, value);
    Object.assign(option.dataset, { step: each.step_key, attempt: each.attempt, stream: each.stream });
    pick.add(option);
    document.getElementById("log-count").textContent = pick.options.length.toLocaleString("en");
  }
}

// From a step straight to what it printed, without a reload.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-log]");
  if (!link || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  listed = 0; // the steps may know of output that the list here does not
  await listLogs().catch(() => {});
  const option = [...pick.options].find((each) => each.value === link.dataset.log);
  if (!option) return location.assign(link.href);
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
for (const form of document.querySelectorAll("[data-event-filter]")) form.addEventListener("change", () => {
  const params = filters();
  location.assign(`/runs/${run}${params.size ? `?${params}` : ""}#events-card`);
});
