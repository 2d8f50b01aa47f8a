// The launchpad: config as YAML and as a form, which say the same at any time; presets, earlier runs, what to run, and what comes of it.
import { curlOf, copyText, post, toast } from "./app.js";
import { ConfigEditor, asYaml } from "./config-editor.js";
import { choosePartition } from "./partition-fields.js";
import { build, clearProblems, readTop, sections, showProblems } from "./schema-form.js";

const $ = (selector) => document.querySelector(selector);
const page = $("#launchpad");
const { target, schema, defaults, presets, edges, url } = JSON.parse($("#launchpad-data").textContent);
const holder = $("#config-form"), alarm = $("#launch-problems"), verdict = $("#verdict");

const editor = new ConfigEditor($("#config-editor"), { schema, text: asYaml(defaults), changed: () => edited() });
let typing = false, asked = 0, soon;

// ------------------------------------------------------------------ one config, two views
function edited() {
  const { value, problems } = editor.read();
  if (!typing && !problems.length) build(holder, schema, value);
  holder.toggleAttribute("inert", problems.length > 0);
  clearTimeout(soon);
  soon = setTimeout(() => problems.length ? tell(problems) : check(), 350);
}

holder.addEventListener("input", (event) => {
  const { top } = event.target.dataset;
  if (!top) return;
  typing = true; // the form has it already, and must not lose the place of typing
  const { keys, value } = readTop(holder, top);
  editor.put(keys, value);
  typing = false;
});

for (const button of page.querySelectorAll("[data-config-view]")) {
  button.addEventListener("click", () => {
    page.dataset.view = button.dataset.configView;
    for (const each of page.querySelectorAll("[data-config-view]")) each.setAttribute("aria-pressed", String(each === button));
  });
}

// What the schema asks for, or all that it knows, where the config has nothing yet.
function fill(all) {
  const { value, problems } = editor.read();
  if (problems.length) return tell(problems);
  for (const { keys, config } of sections(schema)) {
    for (const [key, property] of Object.entries(config.schema.properties || {})) {
      const required = (config.schema.required || []).includes(key);
      let at = value;
      for (const each of keys) at = at?.[each];
      if ((!all && !required) || at?.[key] !== undefined) continue;
      at = value;
      for (const each of keys) at = at[each] ??= {};
      at[key] = property.default ?? blank(property);
    }
  }
  editor.text = asYaml(value);
}
const blank = ({ type, enum: choices }) => choices?.[0] ?? ({ integer: 0, number: 0, boolean: false, string: "", array: [], object: {} })[type] ?? null;

// ------------------------------------------------------------------ what to run
function steps() {
  const boxes = [...page.querySelectorAll("[data-step]")], chosen = boxes.filter((each) => each.checked);
  return chosen.length === boxes.length ? null : chosen;
}

function body() {
  const { value: config, problems } = editor.read();
  if (problems.length) throw Object.assign(new Error(problems[0].message), { problems });
  const tags = {};
  for (const line of $("#launch-tags").value.split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) tags[line.slice(0, at).trim()] = line.slice(at + 1).trim();
    else if (line.trim()) throw Object.assign(new Error("A tag is written key=value"), { problems: [{ path: "tags", message: `${line.trim()} has no =` }] });
  }
  const first = $("#launch-partition")?.value.trim(), last = $("#launch-partition-end")?.value.trim();
  const partition = first && last && last !== first ? { start: first, end: last } : first;
  const some = steps(), priority = $("#launch-priority").value.trim();
  if (some && !some.length) throw Object.assign(new Error("Choose what to run"), { problems: [{ path: "steps", message: "nothing is chosen" }] });
  const part = some && (some.some((each) => each.dataset.assets) ? { assets: [...new Set(some.flatMap((each) => JSON.parse(each.dataset.assets || "[]")))] } : { steps: some.map((each) => each.dataset.step) });
  return {
    ...target, ...part, ...(partition ? { partition } : {}), ...(priority ? { priority: Number(priority) } : {}),
    // What is as the code has it is left to the code, which may change until the run starts.
    ...(JSON.stringify(config) === JSON.stringify(defaults) ? {} : { config }), ...(Object.keys(tags).length ? { tags } : {}),
  };
}

function follow(direction) {
  const boxes = new Map([...page.querySelectorAll("[data-step]")].map((each) => [each.dataset.step, each]));
  for (let more = true; more;) {
    more = false;
    for (const [a, b] of edges) {
      const [from, to] = direction === "down" ? [a, b] : [b, a];
      if (boxes.get(from)?.checked && boxes.get(to) && !boxes.get(to).checked) more = boxes.get(to).checked = true;
    }
  }
}

$("#steps")?.addEventListener("click", (event) => {
  const { pick } = event.target.closest("[data-pick]")?.dataset ?? {};
  if (!pick) return;
  if (pick === "up" || pick === "down") follow(pick);
  else for (const each of page.querySelectorAll("[data-step]")) each.checked = pick === "all";
  check();
});
$("#step-filter")?.addEventListener("input", ({ target: { value } }) => {
  for (const each of page.querySelectorAll("[data-step]")) each.closest("li").hidden = !each.dataset.step.toLowerCase().includes(value.trim().toLowerCase());
});

// ------------------------------------------------------------------ checks
async function check({ code = false } = {}) {
  const turn = ++asked;
  try {
    const found = await post(`/api/v1/runs/preview${code ? "?code=true" : ""}`, body());
    if (turn !== asked) return;
    tell(found.problems, { code: found.checked_by_code });
    foretell(found.prediction);
  } catch (error) {
    if (turn === asked) tell(error.problems?.length ? error.problems : [{ path: "", message: error.message }]);
  }
}

function tell(problems, { code = false } = {}) {
  clearProblems(page);
  const marks = editor.mark(problems.filter((each) => each.path === "config" || each.path.startsWith("config.") ));
  showProblems(page, problems);
  verdict.dataset.state = problems.length ? "bad" : "good";
  verdict.className = `badge ${problems.length ? "t-failure" : "t-success"}`;
  verdict.lastElementChild.textContent = problems.length === 1 ? "1 problem" : problems.length ? `${problems.length} problems` : code ? "The code takes it" : "Fits the schema";
  verdict.firstElementChild.firstElementChild.setAttribute("href", verdict.dataset.icons + (problems.length ? "#failure" : "#success"));
  verdict.hidden = false;
  alarm.firstElementChild.replaceChildren(...problems.map((problem) => {
    const line = document.createElement("li"), link = document.createElement("button");
    link.type = "button";
    link.className = "link";
    link.textContent = problem.path ? `${problem.path}: ${problem.message}` : problem.message;
    const mark = marks.find((each) => each.message === problem.message);
    if (mark) link.addEventListener("click", () => editor.goto(mark.from));
    line.append(link);
    return line;
  }));
  alarm.hidden = !problems.length;
}

const seconds = (n) => n < 1 ? `${Math.round(n * 1000)} ms` : n < 60 ? `${n.toFixed(n < 10 ? 1 : 0)} s` : n < 3600 ? `${Math.floor(n / 60)} m ${String(Math.round(n % 60)).padStart(2, "0")} s` : `${(n / 3600).toFixed(1)} h`;

function foretell(found) {
  const place = $("#prediction");
  place.querySelector("[data-none]").hidden = Boolean(found);
  place.querySelector("[data-some]").hidden = !found;
  if (!found) return;
  place.querySelector("[data-p50]").textContent = seconds(found.p50_seconds);
  place.querySelector("[data-p90]").textContent = seconds(found.p90_seconds);
  place.querySelector("[data-samples]").textContent = found.samples === 1 ? "1 run" : `${found.samples} runs`;
  const longest = Math.max(...found.steps.map((each) => each.p90_seconds), 0.001), critical = new Set(found.critical_path);
  place.querySelector("tbody").replaceChildren(...found.steps.slice(0, 40).map((each) => {
    const row = place.querySelector("template").content.cloneNode(true);
    row.querySelector("[data-name]").textContent = each.step;
    row.querySelector("[data-time]").textContent = seconds(each.p50_seconds);
    row.querySelector("tr").title = `half within ${seconds(each.p50_seconds)}, nine of ten within ${seconds(each.p90_seconds)}${critical.has(each.step) ? ", on the critical path" : ""}`;
    row.querySelector("tr").classList.toggle("critical", critical.has(each.step));
    const [outer, inner] = row.querySelectorAll("rect");
    outer.setAttribute("width", `${100 * each.p90_seconds / longest}%`);
    inner.setAttribute("width", `${100 * each.p50_seconds / longest}%`);
    return row;
  }));
}

// ------------------------------------------------------------------ presets and earlier runs
const from = $("#begin");
async function start(value) {
  const [kind, name] = [value.slice(0, value.indexOf(":")), value.slice(value.indexOf(":") + 1)];
  $("#delete-preset")?.toggleAttribute("hidden", !presets.some((each) => kind === "preset" && each.name === name && !each.from_code));
  if (kind === "run") {
    const run = await (await fetch(`/api/v1/runs/${name}`)).json();
    use(run.config, run.tags);
    if (run.partition && $("#launch-partition")) {
      const [first, last = ""] = run.partition.split("...");
      choosePartition($("#launch-partition"), first);
      choosePartition($("#launch-partition-end"), last);
    }
  } else if (kind === "preset") {
    const preset = presets.find((each) => each.name === name);
    use(preset?.config ?? {}, preset?.tags ?? {});
  }
}
function use(config, tags) {
  editor.text = asYaml(config);
  $("#launch-tags").value = Object.entries(tags).filter(([key]) => !key.startsWith("dagwright/") && !key.startsWith("dagster/")).map(([key, value]) => `${key}=${value}`).join("\n");
  check();
}
from.addEventListener("change", () => start(from.value));

async function save(event) {
  event.preventDefault();
  const { config = defaults, tags = {} } = body(), name = $("#preset-name").value.trim();
  await post(`${url}/presets/${encodeURIComponent(name)}${place}`, { config, tags }, "PUT");
  location.assign(`${location.pathname}?preset=${encodeURIComponent(name)}`);
}
const place = target.location ? `?location=${encodeURIComponent(target.location)}` : "";

const failing = (act) => async (event) => {
  try { await act(event); } catch (error) { toast([error.message, ...(error.problems || []).map((each) => each.message)].join(" · "), { bad: true }); }
};
$("#save-form")?.addEventListener("submit", failing(save));
$("#delete-preset")?.addEventListener("click", failing(async () => {
  const name = from.value.slice(7);
  if (!confirm(`Delete the preset ${name}?`)) return;
  await post(`${url}/presets/${encodeURIComponent(name)}${place}`, undefined, "DELETE");
  location.assign(location.pathname);
}));

// ------------------------------------------------------------------ launch
async function launch() {
  const button = $("#launch-button");
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  try {
    const made = await post("/api/v1/runs", body());
    location.assign(`/runs/${made.run_id}`);
  } catch (error) {
    tell(error.problems?.length ? error.problems : [{ path: "", message: error.message }]);
    alarm.scrollIntoView({ block: "nearest" });
  } finally {
    button.removeAttribute("aria-busy");
  }
}

page.addEventListener("click", (event) => {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (act === "launch") launch();
  if (act === "validate") check({ code: true });
  if (act === "required") fill(false);
  if (act === "defaults") fill(true);
  if (act === "save") { $("#save-preset").showModal(); $("#preset-name").focus(); }
  if (act === "close" || event.target.id === "save-preset") $("#save-preset").close();
  if (act === "curl") try { copyText(curlOf("POST", "/api/v1/runs", body())); } catch (error) { tell(error.problems); }
});
page.addEventListener("change", (event) => event.target.matches("[data-check]") && check());
page.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "Enter") { event.preventDefault(); check({ code: true }); }
});

build(holder, schema, defaults);
start(from.value);
