// The launch dialog: a form made from the config schema, the same config as JSON, and errors shown at their fields.
import { curlOf, copyText, post, toast } from "./app.js";
import { field, read, resolve } from "./schema-form.js";

const dialog = document.getElementById("launch");
if (dialog) {
  const { target, schema, defaults } = JSON.parse(document.getElementById("launch-data").textContent);
  const form = document.getElementById("launch-form");
  const holder = document.getElementById("config-form");
  const raw = document.getElementById("config-raw");
  const text = document.getElementById("config-text");
  const alarm = document.getElementById("launch-error");
  let view = "form";

  const build = (value) => {
    holder.replaceChildren();
    const properties = resolve(schema, [schema]).schema.properties || {};
    for (const part of ["ops", "resources", "execution", "loggers"]) {
      const section = properties[part];
      if (!section) continue;
      const names = Object.entries(section.properties || {}).filter(([, each]) => takesConfig(each));
      if (!names.length) continue;
      for (const [name, each] of names) {
        const inner = resolve(each, [schema]);
        const config = resolve(inner.schema.properties.config, inner.roots);
        const box = document.createElement("fieldset");
        const legend = document.createElement("legend");
        legend.textContent = part === "ops" ? name : `${part}: ${name}`;
        box.append(legend);
        for (const [key, property] of Object.entries(config.schema.properties || {})) {
          box.append(field(key, property, config.roots, { path: `config.${part}.${name}.config.${key}`, required: (config.schema.required || []).includes(key), value: value?.[part]?.[name]?.config?.[key] }));
        }
        if (box.childElementCount > 1) holder.append(box);
      }
    }
    if (!holder.childElementCount) {
      const none = document.createElement("p");
      none.className = "quiet";
      none.textContent = "It takes no config.";
      holder.append(none);
    }
  };
  const takesConfig = (each) => {
    const found = resolve(each, [schema]).schema.properties?.config;
    return Boolean(found && Object.keys(resolve(found, [schema]).schema.properties || {}).length);
  };
  // Only what differs from the defaults is sent: the defaults of the code may change, and a run should follow them.
  const gather = () => {
    const config = structuredClone(defaults || {});
    for (const { path, value } of read(holder)) {
      const [, part, ...rest] = path.split(".");
      const end = rest.lastIndexOf("config");
      const name = rest.slice(0, end).join("."), key = rest[end + 1];
      config[part] ??= {};
      config[part][name] ??= {};
      config[part][name].config ??= {};
      config[part][name].config[key] = value;
    }
    return config;
  };

  const body = () => {
    const config = view === "raw" ? JSON.parse(text.value.trim() || "{}") : gather();
    const tags = {};
    for (const line of document.getElementById("launch-tags").value.split("\n")) {
      const at = line.indexOf("=");
      if (at > 0) tags[line.slice(0, at).trim()] = line.slice(at + 1).trim();
      else if (line.trim()) throw Object.assign(new Error("A tag is written key=value"), { problems: [{ path: "tags", message: `${line.trim()} has no =` }] });
    }
    const written = document.getElementById("launch-partition")?.value.trim();
    const ends = written?.split("...") ?? [];
    const partition = ends.length === 2 ? { start: ends[0].trim(), end: ends[1].trim() } : written;
    return { ...target, ...(partition ? { partition } : {}), ...(Object.keys(config).length ? { config } : {}), ...(Object.keys(tags).length ? { tags } : {}) };
  };

  const clear = () => {
    alarm.hidden = true;
    for (const each of dialog.querySelectorAll(".problem")) each.remove();
    for (const each of dialog.querySelectorAll(".bad")) each.classList.remove("bad");
  };
  const complain = (error) => {
    clear();
    const left = [];
    for (const problem of error.problems || []) {
      const at = [...dialog.querySelectorAll("[data-path]")].filter((each) => !each.hidden && each.offsetParent && (problem.path === each.dataset.path || problem.path.startsWith(`${each.dataset.path}.`) || problem.path.startsWith(`${each.dataset.path}[`)));
      const place = at.sort((a, b) => b.dataset.path.length - a.dataset.path.length)[0];
      if (!place) { left.push(`${problem.path}: ${problem.message}`); continue; }
      place.classList.add("bad");
      const words = document.createElement("p");
      words.className = "problem";
      words.textContent = place.dataset.path === problem.path ? problem.message : `${problem.path}: ${problem.message}`;
      place.append(words);
    }
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
      if (partition && opener.dataset.partition) partition.value = opener.dataset.partition;
      dialog.showModal();
    }
    if (event.target.closest("[data-close]") || event.target === dialog) dialog.close();
    const chosen = event.target.closest("[data-config-view]");
    if (chosen && chosen.dataset.configView !== view) {
      try {
        if (chosen.dataset.configView === "raw") text.value = JSON.stringify(gather(), null, 2);
        else build(JSON.parse(text.value.trim() || "{}"));
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

  build(defaults);
  if (new URLSearchParams(location.search).has("launch")) dialog.showModal();
}
