// What is done to one asset: report what happened to it, wipe it, add and delete keys of its dynamic partitions.
import { copyText, curlOf, post, refreshAll, toast } from "./app.js";
import "./partition-fields.js";

const lines = (text) => String(text).split("\n").map((line) => line.trim()).filter(Boolean);

function report(form) {
  const given = Object.fromEntries(new FormData(form));
  const metadata = given.metadata.trim() ? { metadata: JSON.parse(given.metadata) } : {};
  const body = { ...metadata, ...(given.partition ? { partition: given.partition } : {}), ...(given.description ? { description: given.description } : {}) };
  if (given.kind !== "checks") return [`${form.dataset.base}/${given.kind}`, { ...body, ...(given.data_version ? { data_version: given.data_version } : {}) }];
  const result = given.result === "passed" ? { passed: true } : { passed: false, severity: given.result };
  return [`${form.dataset.base}/checks/${encodeURIComponent(given.check)}/evaluations`, { ...body, ...result }];
}

function wipe(form) {
  const given = Object.fromEntries(new FormData(form));
  const partitions = given.which === "keys" ? lines(given.keys) : given.which === "range" ? { start: given.start.trim(), end: given.end.trim() } : "all";
  return [`${form.dataset.base}/wipe`, { partitions }];
}

function dialogOf(id, chooser, request, done) {
  const dialog = document.getElementById(id);
  const form = dialog.querySelector("form");
  const alarm = dialog.querySelector("[data-alarm]");
  const complain = (error) => {
    alarm.hidden = false;
    const bad = error instanceof SyntaxError ? `Metadata is not JSON: ${error.message}` : "";
    alarm.lastElementChild.textContent = bad || (error.problems || []).map((problem) => `${problem.path}: ${problem.message}`).join("\n") || error.message;
  };
  const show = () => {
    const kind = form.elements[chooser]?.value;
    for (const each of form.querySelectorAll("[data-kind]")) each.hidden = !each.dataset.kind.split(" ").includes(kind);
  };
  form.elements[chooser]?.addEventListener("change", show);
  document.addEventListener("click", (event) => {
    if (event.target.closest(`[data-open="${id}"]`)) { alarm.hidden = true; show(); dialog.showModal(); }
    if (event.target === dialog || (dialog.contains(event.target) && event.target.closest("[data-close]"))) dialog.close();
    if (dialog.contains(event.target) && event.target.closest("[data-curl]")) {
      try { copyText(curlOf("POST", ...request(form))); } catch (error) { complain(error); }
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await post(...request(form));
      dialog.close();
      form.reset();
      form.dispatchEvent(new Event("input"));
      toast(done(answer));
      refreshAll();
    } catch (error) {
      complain(error);
    }
  });
  return form;
}

dialogOf("report", "kind", report, () => "Reported");
const wiping = dialogOf("wipe", "which", wipe, (answer) => (answer.partitions ? `Wiped ${answer.partitions.toLocaleString("en")} partition${answer.partitions === 1 ? "" : "s"}` : "There was nothing to wipe"));
wiping.addEventListener("input", () => { wiping.querySelector("footer .danger").disabled = wiping.elements.confirm.value !== wiping.dataset.key; });

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-dynamic]");
  if (!form) return;
  event.preventDefault();
  const url = `/api/v1/dynamic-partitions/${encodeURIComponent(form.dataset.dynamic)}`;
  const key = form.elements.key.value.trim();
  try {
    if (event.submitter?.value === "delete") await post(`${url}?key=${encodeURIComponent(key)}`, undefined, "DELETE");
    else await post(url, { keys: [key] });
    toast(event.submitter?.value === "delete" ? `Deleted ${key}` : `Added ${key}`);
    form.reset();
    refreshAll();
  } catch (error) {
    toast((error.problems || []).map((problem) => problem.message).join("\n") || error.message, { bad: true });
  }
});
