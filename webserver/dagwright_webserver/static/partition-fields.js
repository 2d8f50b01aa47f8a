// Choosing partitions of several dimensions: a field for each, which together write the key `a|b` into the one that is sent.
const axes = JSON.parse(document.getElementById("partition-axes")?.textContent || "[]");

const make = (name, attributes, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
};

// All keys are a list to choose from; more than are told are typed, with the newest as help.
function chooser(axis, id, optional) {
  if (axis.by_day) return make("input", { id, type: "date", min: axis.first, max: axis.last });
  const options = (keys) => keys.map((key) => make("option", { value: key }, key));
  if (axis.newest.length === axis.count) {
    return make("select", { id }, ...(optional ? [make("option", { value: "" }, "–")] : []), ...options([...axis.newest].reverse()));
  }
  return make("input", { id, list: `${id}-keys`, autocomplete: "off" });
}

function enhance(field) {
  const label = document.querySelector(`label[for="${field.id}"]`);
  const fields = axes.map((axis, n) => chooser(axis, `${field.id}-${n}`, !field.required));
  const box = make("div", { class: "axes", role: "group", "aria-label": label?.firstChild.textContent.trim() });
  axes.forEach((axis, n) => {
    box.append(make("label", { class: "axis" }, make("span", {}, axis.name), fields[n]));
    const list = fields[n].getAttribute("list");
    if (list) box.append(make("datalist", { id: list }, ...axis.newest.map((key) => make("option", { value: key }))));
  });
  let writing = false;
  const show = () => {
    const keys = field.value.split("|");
    fields.forEach((each, n) => { each.value = keys[n] ?? ""; });
  };
  box.addEventListener("change", (event) => {
    event.stopPropagation();
    const keys = fields.map((each) => each.value.trim());
    field.value = keys.some(Boolean) ? keys.join("|") : "";
    writing = true;
    field.dispatchEvent(new Event("change", { bubbles: true }));
    writing = false;
  });
  field.addEventListener("change", () => writing || show());
  if (label) label.htmlFor = fields[0].id;
  field.hidden = true;
  field.after(box);
  show();
}

// Writes a key into a field of partitions, and shows it.
export function choosePartition(field, key) {
  field.value = key;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

if (axes.length > 1) for (const field of document.querySelectorAll("input[data-partition]")) enhance(field);
