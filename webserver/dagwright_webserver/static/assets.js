// Choosing assets, and materializing what is chosen, all that is shown, or what is stale of it: a run, or a backfill where it is many partitions.
import { copyText, curlOf, post, toast } from "./app.js";

const chosen = new Map(); // key to whether it is partitioned
const bar = document.getElementById("picked");
const dialog = document.getElementById("pick");
const form = document.getElementById("pick-form");
const alarm = document.getElementById("pick-error");

// Which assets the page is about, as [{key, partitioned}], and the query that narrows the graph to them.
let shown = { all: inCatalog, scope: "" };
export function offer(other) { shown = other; }

// Every page of the catalog as it is filtered.
async function inCatalog() {
  const query = new URLSearchParams([...new URLSearchParams(location.search)].filter(([name, value]) => value && name !== "cursor"));
  query.set("limit", "1000");
  const found = [];
  for (let cursor = null; ;) {
    if (cursor) query.set("cursor", cursor);
    const page = await post(`/api/v1/assets?${query}`, undefined, "GET");
    found.push(...page.items.filter((each) => each.execution === "materialize").map((each) => ({ key: each.key, partitioned: each.partitions !== null })));
    cursor = page.next_cursor;
    if (!cursor) return found;
  }
}

async function offerAll(stale) {
  try {
    let assets = await shown.all();
    if (stale) {
      const keys = new Set((await post(`/api/v1/staleness${shown.scope ? `?${shown.scope}` : ""}`, undefined, "GET")).items.map(({ key }) => key));
      assets = assets.filter(({ key }) => keys.has(key));
    }
    if (!assets.length) return toast(stale ? "Nothing is stale or missing" : "There is nothing that can be materialized");
    choose(assets);
    ask();
  } catch (error) {
    toast(error.message, { bad: true });
  }
}

export function choose(assets) {
  chosen.clear();
  for (const { key, partitioned } of assets) chosen.set(key, partitioned);
  tell();
  document.dispatchEvent(new CustomEvent("chosen", { detail: [...chosen.keys()] }));
}

export function ask() {
  alarm.hidden = true;
  const shown = [...chosen.keys()].slice(0, 30).map((key) => Object.assign(document.createElement("li"), { className: "tag", textContent: key }));
  if (chosen.size > 30) shown.push(Object.assign(document.createElement("li"), { className: "quiet", textContent: `and ${(chosen.size - 30).toLocaleString("en")} more` }));
  document.getElementById("pick-list").replaceChildren(...shown);
  document.getElementById("pick-title").textContent = `Materialize ${words()}`;
  form.querySelector("[data-pick-partitions]").hidden = ![...chosen.values()].some(Boolean);
  dialog.showModal();
}

const words = () => `${chosen.size.toLocaleString("en")} asset${chosen.size === 1 ? "" : "s"}`;

function tell() {
  bar.hidden = !chosen.size;
  document.getElementById("picked-count").textContent = chosen.size ? `${words()} chosen` : "";
  for (const box of document.querySelectorAll("[data-pick]")) box.checked = chosen.has(box.dataset.pick);
  const all = document.querySelector("[data-pick-all]");
  const boxes = [...document.querySelectorAll("[data-pick]")];
  if (all) {
    all.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    all.indeterminate = !all.checked && boxes.some((box) => box.checked);
  }
}

function request() {
  const given = new FormData(form);
  const config = given.get("config").trim() ? { config: JSON.parse(given.get("config")) } : {};
  const body = { assets: [...chosen.keys()], ...config };
  if (![...chosen.values()].some(Boolean)) return ["/api/v1/runs", body];
  const which = given.get("which");
  if (which === "one") return ["/api/v1/runs", { ...body, partition: given.get("key").trim() }];
  const partitions = which === "all" ? "all" : { start: given.get("start").trim(), end: given.get("end").trim() };
  return ["/api/v1/backfills", { ...body, partitions, ...(given.get("only") ? { [given.get("only")]: true } : {}) }];
}

function complain(error) {
  alarm.hidden = false;
  const bad = error instanceof SyntaxError ? `Config is not JSON: ${error.message}` : "";
  alarm.lastElementChild.textContent = bad || (error.problems || []).map((problem) => `${problem.path}: ${problem.message}`).join("\n") || error.message;
}

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-pick], [data-pick-all]");
  if (!box) return;
  for (const each of "pickAll" in box.dataset ? document.querySelectorAll("[data-pick]") : [box]) {
    if (box.checked) chosen.set(each.dataset.pick, "partitioned" in each.dataset);
    else chosen.delete(each.dataset.pick);
  }
  tell();
});
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-pick-none]")) choose([]);
  if (event.target.closest("[data-open-pick]")) ask();
  const which = event.target.closest("[data-materialize]")?.dataset.materialize;
  if (which) offerAll(which === "stale");
  if (event.target === dialog || (dialog.contains(event.target) && event.target.closest("[data-close]"))) dialog.close();
  if (event.target.closest("[data-pick-curl]")) {
    try { copyText(curlOf("POST", ...request())); } catch (error) { complain(error); }
  }
});
form.elements.which.addEventListener("change", () => {
  for (const each of form.querySelectorAll("[data-which]")) each.hidden = !each.dataset.which.split(" ").includes(form.elements.which.value);
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = document.getElementById("pick-button");
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  try {
    const made = await post(...request());
    location.assign(made.run_id ? `/runs/${made.run_id}` : `/backfills/${made.backfill_id}`);
  } catch (error) {
    complain(error);
    if (!error.problems && !(error instanceof SyntaxError)) toast(error.message, { bad: true });
  } finally {
    button.removeAttribute("aria-busy");
  }
});
document.addEventListener("htmx:afterSettle", tell); // a refreshed table does not know what is chosen
tell();
