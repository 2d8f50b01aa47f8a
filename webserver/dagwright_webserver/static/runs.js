// Choosing runs of the list, or all that match its filters, and doing the same with each of them.
import { copyText, curlOf, post, refreshAll } from "./app.js";

const filter = JSON.parse(document.getElementById("runs-filter").textContent);
const bar = document.getElementById("picked");
const dialog = document.getElementById("bulk");
const form = document.getElementById("bulk-form");
const go = document.getElementById("bulk-go");
const alarm = document.getElementById("bulk-error");
const report = document.getElementById("bulk-report");
const PIECE = 100; // runs in one request, so that the report grows while it goes on
const LISTED = 500; // rows of the report

const chosen = new Set();
let matching = false; // all that match, in place of those that are marked
let action = "cancel";
let going = false;

const boxes = () => [...document.querySelectorAll("[data-pick]")];
const number = (value) => value.toLocaleString("en");
const runs = (count) => `${number(count)} run${count === 1 ? "" : "s"}`;

function tell() {
  for (const box of boxes()) box.checked = matching || chosen.has(box.dataset.pick);
  const all = document.querySelector("[data-pick-all]");
  if (all) {
    all.checked = boxes().length > 0 && boxes().every((box) => box.checked);
    all.indeterminate = !all.checked && boxes().some((box) => box.checked);
  }
  bar.hidden = !matching && !chosen.size;
  document.getElementById("picked-count").textContent = matching ? "All that match" : `${runs(chosen.size)} chosen`;
  bar.querySelector("[data-pick-matching]").hidden = matching;
  const [earlier, later] = [...chosen].sort(); // ids begin with the time
  const compare = document.getElementById("picked-compare");
  compare.hidden = matching || chosen.size !== 2;
  if (!compare.hidden) compare.href = `/runs/${later}/compare/${earlier}`;
}

function choose(ids) {
  matching = false;
  chosen.clear();
  for (const id of ids) chosen.add(id);
  tell();
}

const WORDS = {
  cancel: ["Cancel", "Those that wait are canceled at once; those that run are stopped, with a grace time."],
  "re-execute": ["Re-execute", "Each gets a new run, with the definitions of now."],
  delete: ["Delete", "They go with their events and output, and cannot be brought back. What assets hold stays on record."],
};

function ask(what) {
  action = what;
  const [verb, words] = WORDS[what];
  document.getElementById("bulk-title").textContent = `${verb} ${matching ? "all runs that match" : runs(chosen.size)}`;
  document.getElementById("bulk-words").textContent = words;
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== what;
  go.textContent = verb;
  go.className = what === "re-execute" ? "button primary" : "button danger";
  go.hidden = false;
  alarm.hidden = report.hidden = true;
  report.querySelector("tbody").replaceChildren();
  document.getElementById("bulk-done").textContent = ""; // of the action before
  dialog.showModal();
}

function request() {
  const body = matching ? { action, filter, limit: PIECE } : { action, run_ids: [...chosen] };
  if (action === "re-execute") body.strategy = form.elements.strategy.value;
  if (action === "cancel" && form.elements.force.checked) body.force = true;
  return body;
}

function* pieces(body) {
  if (!body.run_ids) return yield body;
  for (let n = 0; n < body.run_ids.length; n += PIECE) yield { ...body, run_ids: body.run_ids.slice(n, n + PIECE) };
}

async function perform() {
  const sums = { succeeded: 0, failed: 0 };
  report.hidden = false;
  for (const piece of pieces(request())) {
    for (let cursor; ; ) {
      const made = await post("/api/v1/runs/bulk", cursor ? { ...piece, cursor } : piece);
      sums.succeeded += made.succeeded;
      sums.failed += made.failed;
      list(made.items);
      document.getElementById("bulk-done").textContent = `${number(sums.succeeded)} done${sums.failed ? `, ${number(sums.failed)} not` : ""}`;
      cursor = made.next_cursor;
      if (!cursor || !dialog.open) break;
    }
  }
  if (!sums.succeeded && !sums.failed) document.getElementById("bulk-done").textContent = "There is no run with which this can be done.";
}

const link = (id) => Object.assign(document.createElement("a"), { href: `/runs/${id}`, textContent: id.slice(-8), title: id, className: "mono" });

function list(items) {
  const body = report.querySelector("tbody");
  for (const item of items) {
    if (body.rows.length >= LISTED) return;
    const row = body.insertRow();
    row.insertCell().append(action === "delete" && item.ok ? item.run_id.slice(-8) : link(item.run_id));
    const cell = row.insertCell();
    if (item.new_run_id) cell.append("run again as ", link(item.new_run_id));
    else cell.textContent = item.ok ? { cancel: item.status === "CANCELED" ? "canceled" : "is being stopped", delete: "deleted" }[action] : item.message;
    if (!item.ok) cell.className = "toned t-failure wrap";
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (going) return;
  going = true;
  go.setAttribute("aria-busy", "true");
  alarm.hidden = true;
  try {
    await perform();
    go.hidden = true;
    choose([]);
  } catch (error) {
    alarm.hidden = false;
    alarm.lastElementChild.textContent = error.message;
  } finally {
    going = false;
    go.removeAttribute("aria-busy");
    refreshAll();
  }
});

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-pick], [data-pick-all]");
  if (!box) return;
  if (matching) { matching = false; for (const each of boxes()) chosen.add(each.dataset.pick); }
  for (const each of "pickAll" in box.dataset ? boxes() : [box]) {
    if (box.checked) chosen.add(each.dataset.pick);
    else chosen.delete(each.dataset.pick);
  }
  tell();
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick-none], [data-pick-matching], [data-bulk], [data-bulk-curl], [data-close]");
  if (event.target === dialog) return dialog.close();
  if (!button) return;
  if ("pickNone" in button.dataset) choose([]);
  if ("pickMatching" in button.dataset) { matching = true; tell(); }
  if (button.dataset.bulk) ask(button.dataset.bulk);
  if ("bulkCurl" in button.dataset) copyText(curlOf("POST", "/api/v1/runs/bulk", request()));
  if ("close" in button.dataset) dialog.close();
});
document.addEventListener("htmx:afterSettle", tell); // a refreshed table does not know what is chosen
tell();
