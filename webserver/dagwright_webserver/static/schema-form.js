// JSON Schema, as pydantic writes it, into form fields and back. What has no field of its own is written as JSON.

// A `$ref` means the nearest enclosing schema that has definitions; `roots` are those, innermost last.
export function resolve(schema, roots) {
  let current = schema || {}, known = current.$defs ? [...roots, current] : roots;
  for (let depth = 0; current.$ref && depth < 20; depth++) {
    const name = current.$ref.split("/").pop();
    const home = [...known].reverse().find((root) => root.$defs?.[name]);
    if (!home) break;
    const { $ref: _, ...beside } = current;
    current = { ...home.$defs[name], ...beside };
    if (current.$defs) known = [...known, current];
  }
  if (current.allOf?.length === 1) {
    const { allOf, ...beside } = current;
    const inner = resolve(allOf[0], known);
    return { schema: { ...inner.schema, ...beside }, roots: inner.roots };
  }
  const options = (current.anyOf || []).filter((each) => each.type !== "null");
  if (current.anyOf && options.length === 1) {
    const { anyOf: _, ...beside } = current;
    const inner = resolve(options[0], known);
    return { schema: { ...inner.schema, ...beside, nullable: current.anyOf.length > 1 }, roots: inner.roots };
  }
  return { schema: current, roots: known };
}

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
let count = 0;

// Every place of a run's config that takes values: the keys that lead to it, and the schema of what stands there. Graphs hold further ops.
export function sections(schema) {
  const found = [];
  const walk = (node, roots, keys) => {
    const { schema: here, roots: known } = resolve(node, roots);
    if (here.properties?.config) {
      const config = resolve(here.properties.config, known);
      if (config.schema.type !== "object" || Object.keys(config.schema.properties || {}).length) found.push({ keys: [...keys, "config"], config });
    }
    for (const [name, each] of Object.entries(here.properties?.ops?.properties || {})) walk(each, known, [...keys, "ops", name]);
  };
  const top = resolve(schema, []);
  for (const part of ["ops", "resources", "execution", "loggers"]) {
    for (const [name, each] of Object.entries(top.schema.properties?.[part]?.properties || {})) walk(each, top.roots.length ? top.roots : [schema], [part, name]);
  }
  return found;
}

export const titleOf = (keys) => keys[0] === "ops" ? keys.filter((_, n) => n % 2).join(".") : `${keys[0]}: ${keys[1]}`;

// The form of a whole run config, with the values of one.
export function build(holder, schema, value) {
  holder.replaceChildren();
  for (const { keys, config } of sections(schema)) {
    const at = keys.reduce((inside, key) => inside?.[key], value), path = `config.${keys.join(".")}`;
    const box = element("fieldset", {}, element("legend", { textContent: titleOf(keys) }));
    if (config.schema.type === "object" && config.schema.properties) {
      for (const [key, property] of Object.entries(config.schema.properties)) {
        box.append(field(key, property, config.roots, { path: `${path}.${key}`, required: (config.schema.required || []).includes(key), value: at?.[key] }));
      }
    } else box.append(field("config", config.schema, config.roots, { path, required: true, value: at }));
    holder.append(box);
  }
  if (!holder.childElementCount) holder.append(element("p", { className: "quiet", textContent: "It takes no config." }));
}

// Only what differs from what the form began with is changed: the defaults of the code may change, and a run should follow them.
export function gather(holder, start) {
  const config = structuredClone(start || {});
  for (const { keys, value } of read(holder)) {
    const last = keys.at(-1);
    let at = config;
    for (const key of keys.slice(0, -1)) at = at[key] ??= {};
    at[last] = value;
  }
  return config;
}

export function clearProblems(root) {
  for (const each of root.querySelectorAll(".problem")) each.remove();
  for (const each of root.querySelectorAll(".bad")) each.classList.remove("bad");
}

// Puts each problem at the field that it is about; returns those that have none to be seen.
export function showProblems(root, problems) {
  const left = [];
  for (const problem of problems) {
    const fits = (path) => problem.path === path || problem.path.startsWith(`${path}.`) || problem.path.startsWith(`${path}[`);
    const at = [...root.querySelectorAll("[data-path]")].filter((each) => !each.hidden && each.offsetParent && each.matches(".field, fieldset") && fits(each.dataset.path));
    const place = at.sort((a, b) => b.dataset.path.length - a.dataset.path.length)[0];
    if (!place) { left.push(problem); continue; }
    place.classList.add("bad");
    place.append(element("p", { className: "problem", textContent: place.dataset.path === problem.path ? problem.message : `${problem.path}: ${problem.message}` }));
  }
  return left;
}

export function field(key, property, roots, { path, required, value, top = path }) {
  const { schema, roots: inner } = resolve(property, roots);
  const start = value !== undefined ? value : schema.default;
  if (schema.type === "object" && schema.properties && !schema.nullable) return group(key, schema, inner, { path, value: start, required, top });
  const id = `field-${++count}`;
  const box = element("div", { className: "field" });
  box.dataset.path = path;
  const label = element("label", { htmlFor: id }, key);
  if (required) label.append(element("span", { className: "req", title: "Required", textContent: "*" }));
  label.append(element("span", { className: "type", textContent: typeName(schema) }));
  const input = control(schema, start, id, required);
  input.dataset.kind = kindOf(schema);
  input.dataset.path = path;
  input.dataset.top = top;
  input.dataset.start = JSON.stringify(start ?? null);
  if (required) input.required = true;
  box.append(label, input);
  if (schema.description) box.append(element("p", { className: "help", textContent: schema.description }));
  return box;
}

function group(key, schema, roots, { path, value, required, top }) {
  const box = element("fieldset", {}, element("legend", {}, key, required ? element("span", { className: "req", textContent: " *" }) : ""));
  box.dataset.path = path;
  if (schema.description) box.append(element("p", { className: "help quiet small", textContent: schema.description }));
  for (const [name, property] of Object.entries(schema.properties)) {
    box.append(field(name, property, roots, { path: `${path}.${name}`, required: (schema.required || []).includes(name), value: value?.[name], top }));
  }
  return box;
}

function control(schema, value, id, required) {
  if (schema.enum || schema.const !== undefined) {
    const select = element("select", { id });
    if (!required || value === undefined) select.append(new Option("", ""));
    for (const each of schema.enum || [schema.const]) select.append(new Option(String(each), JSON.stringify(each), false, each === value));
    return select;
  }
  switch (kindOf(schema)) {
    case "boolean": {
      const select = element("select", { id });
      if (value === undefined || schema.nullable) select.append(new Option("", ""));
      for (const each of [true, false]) select.append(new Option(String(each), String(each), false, each === value));
      return select;
    }
    case "integer": case "number": {
      const input = element("input", { id, type: "text", inputMode: schema.type === "integer" ? "numeric" : "decimal", autocomplete: "off", value: value ?? "" });
      return input;
    }
    case "text":
      return element("input", { id, type: "text", autocomplete: "off", spellcheck: false, value: value ?? "", placeholder: schema.examples?.[0] ?? "" });
    default:
      return element("textarea", { id, rows: 3, spellcheck: false, value: value === undefined || value === null ? "" : JSON.stringify(value, null, 2), placeholder: schema.type === "array" ? "[ ]" : "JSON" });
  }
}

function kindOf(schema) {
  if (schema.enum || schema.const !== undefined) return "choice";
  if (["integer", "number", "boolean"].includes(schema.type)) return schema.type;
  return schema.type === "string" ? "text" : "json";
}

export function typeName(schema) {
  if (schema.enum) return "one of";
  const words = { integer: "whole number", number: "number", boolean: "true or false", string: schema.format || "text", array: "list, as JSON", object: "object, as JSON" }[schema.type] || "JSON";
  const least = schema.minimum ?? schema.exclusiveMinimum, most = schema.maximum ?? schema.exclusiveMaximum;
  const range = least !== undefined && most !== undefined ? `, ${least} to ${most}` : least !== undefined ? `, from ${least}` : most !== undefined ? `, up to ${most}` : "";
  return words + range;
}

// The values that somebody changed, each with the keys of its top field: nested objects come back whole.
function read(holder) {
  const tops = new Set([...holder.querySelectorAll("[data-kind]")].map((input) => input.dataset.top));
  return [...tops].map((top) => readTop(holder, top)).filter(({ changed, value }) => changed && value !== undefined);
}

export function readTop(holder, top) {
  let whole, changed = false;
  for (const input of holder.querySelectorAll(`[data-top="${CSS.escape(top)}"]`)) {
    const value = valueOf(input), inside = input.dataset.path === top ? [] : input.dataset.path.slice(top.length + 1).split(".");
    changed ||= JSON.stringify(value ?? null) !== input.dataset.start;
    if (!inside.length) whole = value;
    else if (value !== undefined) {
      whole ??= {};
      let at = whole;
      for (const part of inside.slice(0, -1)) at = at[part] ??= {};
      at[inside.at(-1)] = value;
    }
  }
  return { keys: top.split(".").slice(1), value: whole, changed };
}

// A text that is no number is sent as it is: the server says what is wrong, at the field.
function valueOf(input) {
  const given = input.value;
  if (given.trim() === "") return input.dataset.kind === "text" && input.dataset.start !== "null" && JSON.parse(input.dataset.start) !== "" ? "" : undefined;
  switch (input.dataset.kind) {
    case "integer": case "number": return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(given.trim()) ? Number(given) : given;
    case "boolean": return given === "true";
    case "choice": return JSON.parse(given);
    case "json": try { return JSON.parse(given); } catch { return given; }
    default: return given;
  }
}
