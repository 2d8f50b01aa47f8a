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

export function field(key, property, roots, { path, required, value }) {
  const { schema, roots: inner } = resolve(property, roots);
  const start = value !== undefined ? value : schema.default;
  if (schema.type === "object" && schema.properties && !schema.nullable) return group(key, schema, inner, { path, value: start, required });
  const id = `field-${++count}`;
  const box = element("div", { className: "field" });
  box.dataset.path = path;
  const label = element("label", { htmlFor: id }, key);
  if (required) label.append(element("span", { className: "req", title: "Required", textContent: "*" }));
  label.append(element("span", { className: "type", textContent: typeName(schema) }));
  const input = control(schema, start, id, required);
  input.dataset.kind = kindOf(schema);
  input.dataset.path = path;
  input.dataset.start = JSON.stringify(start ?? null);
  if (required) input.required = true;
  box.append(label, input);
  if (schema.description) box.append(element("p", { className: "help", textContent: schema.description }));
  return box;
}

function group(key, schema, roots, { path, value, required }) {
  const box = element("fieldset", {}, element("legend", {}, key, required ? element("span", { className: "req", textContent: " *" }) : ""));
  box.dataset.path = path;
  if (schema.description) box.append(element("p", { className: "help quiet small", textContent: schema.description }));
  for (const [name, property] of Object.entries(schema.properties)) {
    box.append(field(name, property, roots, { path: `${path}.${name}`, required: (schema.required || []).includes(name), value: value?.[name] }));
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

function typeName(schema) {
  if (schema.enum) return "one of";
  const words = { integer: "whole number", number: "number", boolean: "true or false", string: schema.format || "text", array: "list, as JSON", object: "object, as JSON" }[schema.type] || "JSON";
  const least = schema.minimum ?? schema.exclusiveMinimum, most = schema.maximum ?? schema.exclusiveMaximum;
  const range = least !== undefined && most !== undefined ? `, ${least} to ${most}` : least !== undefined ? `, from ${least}` : most !== undefined ? `, up to ${most}` : "";
  return words + range;
}

// The values that somebody changed, each at the path of its top field: nested objects come back whole.
export function read(holder) {
  const tops = new Map();
  for (const input of holder.querySelectorAll("[data-kind]")) {
    const value = valueOf(input);
    const changed = JSON.stringify(value ?? null) !== input.dataset.start;
    const parts = input.dataset.path.split(".");
    const end = parts.lastIndexOf("config", parts.length - 2);
    const top = parts.slice(0, end + 2).join(".");
    const entry = tops.get(top) || { value: undefined, changed: false };
    entry.changed ||= changed;
    const inside = parts.slice(end + 2);
    if (!inside.length) entry.value = value;
    else if (value !== undefined) {
      entry.value ??= {};
      let at = entry.value;
      for (const part of inside.slice(0, -1)) at = at[part] ??= {};
      at[inside.at(-1)] = value;
    }
    tops.set(top, entry);
  }
  return [...tops].filter(([, entry]) => entry.changed && entry.value !== undefined).map(([path, { value }]) => ({ path, value }));
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
