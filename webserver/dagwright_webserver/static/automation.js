// Automation: many switches at once, and trying a schedule or sensor out.
import { offset, post, refreshAll, toast } from "./app.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// ------------------------------------------------------------------ many at once
const picked = $("#picked"), chosen = { schedule: new Set(), sensor: new Set() };
const boxes = () => $$("[data-pick-schedule], [data-pick-sensor]");
const kindOf = (box) => "pickSchedule" in box.dataset ? "schedule" : "sensor";
const nameOf = (box) => box.dataset.pickSchedule ?? box.dataset.pickSensor;

function tell() {
  const count = chosen.schedule.size + chosen.sensor.size;
  picked.hidden = !count;
  $("#picked-count").textContent = `${count} chosen`;
  for (const box of boxes()) box.checked = chosen[kindOf(box)].has(nameOf(box)); // a refresh knows nothing of it
}

if (picked) {
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("[data-pick-schedule], [data-pick-sensor]")) return;
    chosen[kindOf(target)][target.checked ? "add" : "delete"](nameOf(target));
    tell();
  });
  document.addEventListener("htmx:afterSettle", tell);
  picked.addEventListener("click", async ({ target }) => {
    const way = target.closest("[data-switch-all]")?.dataset.switchAll;
    if (way) {
      try {
        const found = await post("/api/v1/automation/switches", { on: way === "on", schedules: [...chosen.schedule], sensors: [...chosen.sensor] });
        toast(`${found.items.length} turned ${way}`);
        refreshAll();
      } catch (error) { return toast(error.message, { bad: true }); }
    }
    if (way || target.closest("[data-pick-none]")) {
      chosen.schedule.clear();
      chosen.sensor.clear();
      tell();
    }
  });
}

// ------------------------------------------------------------------ trying out
const form = $("#trial-form"), result = $("#trial-result");
const local = (ms) => new Date(ms + offset(ms)).toISOString().slice(0, 19);
const moment = $("#trial-at");
if (moment?.dataset.next) moment.value = local(Date.parse(moment.dataset.next));
let requests = [], cursor = null;

// The field has the time of day in the zone of the page.
function instant(text) {
  const wall = Date.parse(`${text}Z`);
  return new Date(wall - offset(wall - offset(wall))).toISOString();
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $("#trial-button");
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  const body = moment ? (moment.value ? { at: instant(moment.value) } : {}) : { cursor: $("#trial-cursor").value || null };
  try {
    show(await post(form.dataset.url, body));
  } catch (error) {
    show({ requests: [], logs: [], cursor: null }, error);
  } finally {
    button.removeAttribute("aria-busy");
  }
});

function show(found, error = null) {
  ({ requests, cursor } = found);
  result.hidden = false;
  const alarm = $("[data-error]", result);
  alarm.hidden = !error;
  if (error) alarm.lastElementChild.textContent = [error.message, ...(error.problems || []).slice(1).map((each) => each.message)].join("\n");
  const more = [...Object.entries(found.added_partitions || {}).map(([name, keys]) => `adds ${keys.join(", ")} to ${name}`),
    ...Object.entries(found.deleted_partitions || {}).map(([name, keys]) => `deletes ${keys.join(", ")} of ${name}`), ...(found.asset_events || []).map((each) => `records ${each}`)];
  $("[data-words]", result).textContent = error ? "" : [requests.length === 1 ? "It would ask for 1 run." : requests.length ? `It would ask for ${requests.length} runs.` : `It would ask for no run${found.skip_reason ? `: ${found.skip_reason}` : "."}`, ...more].join(" It ");
  const table = $("[data-requests]", result);
  table.hidden = !requests.length;
  $("tbody", table).replaceChildren(...requests.slice(0, 100).map((each) => {
    const row = document.createElement("tr");
    const tags = Object.entries(each.tags).map(([key, value]) => `${key}=${value}`).join(", ");
    for (const text of [each.job ?? each.assets.join(", "), each.partition, each.run_key, tags, Object.keys(each.config).length ? JSON.stringify(each.config) : ""]) {
      row.append(Object.assign(document.createElement("td"), { className: "wrap", textContent: text || "–" }));
    }
    return row;
  }));
  $("[data-launch-all]", result).hidden = !requests.length;
  const line = $("[data-cursor]", result);
  line.hidden = cursor === null || cursor === undefined;
  $("code", line).textContent = cursor ?? "";
  const logs = $("[data-logs]", result);
  logs.hidden = !found.logs.length;
  $("summary", logs).textContent = `${found.logs.length} line${found.logs.length === 1 ? "" : "s"} of output`;
  $("pre", logs).textContent = found.logs.join("\n");
}

result?.addEventListener("click", async ({ target }) => {
  try {
    const keep = target.closest("[data-keep-cursor]");
    if (keep) {
      await post(keep.dataset.keepCursor, { cursor }, "PUT");
      toast("The sensor goes on from this cursor");
      refreshAll();
    }
    if (target.closest("[data-launch-all]") && confirm(requests.length === 1 ? "Launch this run?" : `Launch these ${requests.length} runs?`)) {
      for (const each of requests) {
        await post("/api/v1/runs", {
          location: form.dataset.location, config: each.config, tags: each.tags, ...(each.job ? { job: each.job } : {}),
          ...(each.assets.length ? { assets: each.assets } : {}), ...(each.partition ? { partition: each.partition } : {}),
        });
      }
      toast(`Launched ${requests.length} run${requests.length === 1 ? "" : "s"}`, { href: "/runs" });
      refreshAll();
    }
  } catch (error) {
    toast([error.message, ...(error.problems || []).map((each) => each.message)].join(" · "), { bad: true });
  }
});
