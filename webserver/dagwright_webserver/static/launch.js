// The launch dialog: a form made from the config schema, the same config as JSON, and errors shown at their fields.
import { curlOf, copyText, post, toast } from "./app.js";
import { choosePartition } from "./partition-fields.js";
import { build, clearProblems, gather, showProblems } from "./schema-form.js";

const dialog = document.getElementById("launch");
if (dialog) {
  const { target, schema, defaults } = JSON.parse(document.getElementById("launch-data").textContent);
  const form = document.getElementById("launch-form");
  const holder = document.getElementById("config-form");
  const raw = document.getElementById("config-raw");
  const text = document.getElementById("config-text");
  const alarm = document.getElementById("launch-error");
  let view = "form";

  const body = () => {
    const config = view === "raw" ? JSON.parse(text.value.trim() || "{}") : gather(holder, defaults);
    const tags = {};
    for (const line of document.getElementById("launch-tags").value.split("\n")) {
      const at = line.indexOf("=");
      if (at > 0) tags[line.slice(0, at).trim()] = line.slice(at + 1).trim();
      else if (line.trim()) throw Object.assign(new Error("A tag is written key=value"), { problems: [{ path: "tags", message: `${line.trim()} has no =` }] });
    }
    const first = document.getElementById("launch-partition")?.value.trim(), last = document.getElementById("launch-partition-end")?.value.trim();
    const partition = first && last && last !== first ? { start: first, end: last } : first;
    return { ...target, ...(partition ? { partition } : {}), ...(Object.keys(config).length ? { config } : {}), ...(Object.keys(tags).length ? { tags } : {}) };
  };

  const clear = () => {
    alarm.hidden = true;
    clearProblems(dialog);
  };
  const complain = (error) => {
    clear();
    const left = showProblems(dialog, error.problems || []).map((problem) => `${problem.path}: ${problem.message}`);
    if (left.length || !(error.problems || []).length) {
      alarm.hidden = false;
      alarm.lastElementChild.textContent = left.length ? left.join("\n") : error.message;
    }
    (dialog.querySelector(".bad input, .bad textarea, .bad select") || alarm).scrollIntoView({ block: "nearest" });
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open-launch]");
    if (opener) {
      clear();
      const partition = document.getElementById("launch-partition");
      if (partition && opener.dataset.partition) choosePartition(partition, opener.dataset.partition);
      dialog.showModal();
    }
    if (event.target.closest("[data-close]") || event.target === dialog) dialog.close();
    const chosen = event.target.closest("[data-config-view]");
    if (chosen && chosen.dataset.configView !== view) {
      try {
        if (chosen.dataset.configView === "raw") text.value = JSON.stringify(gather(holder, defaults), null, 2);
        else build(holder, schema, JSON.parse(text.value.trim() || "{}"));
      } catch (error) {
        return complain(Object.assign(new Error(error.message), { problems: [{ path: "config", message: `This is not JSON: ${error.message}` }] }));
      }
      clear();
      view = chosen.dataset.configView;
      raw.hidden = view !== "raw";
      holder.hidden = view === "raw";
      for (const each of dialog.querySelectorAll("[data-config-view]")) each.setAttribute("aria-pressed", String(each === chosen));
    }
    if (event.target.closest("[data-launch-curl]")) {
      try { copyText(curlOf("POST", "/api/v1/runs", body())); } catch (error) { complain(error); }
    }
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = document.getElementById("launch-button");
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      const made = await post("/api/v1/runs", body());
      location.assign(`/runs/${made.run_id}`);
    } catch (error) {
      if (error instanceof SyntaxError) error.problems = [{ path: "config", message: `This is not JSON: ${error.message}` }];
      complain(error);
      if (!error.problems) toast(error.message, { bad: true });
    } finally {
      button.removeAttribute("aria-busy");
    }
  });

  build(holder, schema, defaults);
  if (new URLSearchParams(location.search).has("launch")) dialog.showModal();
}
