// The backfill dialog: which partitions, what that would take, and the launch.
import { post, toast } from "./app.js";
import "./partition-fields.js";

const dialog = document.getElementById("backfill");
if (dialog) {
  const form = document.getElementById("backfill-form");
  const alarm = document.getElementById("backfill-error");
  const words = document.getElementById("backfill-preview");

  const body = () => {
    const given = new FormData(form), which = given.get("which"), only = given.get("only");
    const keys = String(given.get("keys")).split("\n").map((line) => line.trim()).filter(Boolean);
    const partitions = which === "range" ? { start: given.get("start").trim(), end: given.get("end").trim() } : which === "keys" ? keys : "all";
    return { ...JSON.parse(form.dataset.target), partitions, ...(only ? { [only]: true } : {}) };
  };
  const ask = async (button, url, then) => {
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    alarm.hidden = true;
    try {
      then(await post(url, body()));
    } catch (error) {
      alarm.hidden = false;
      alarm.lastElementChild.textContent = (error.problems || []).map((problem) => `${problem.path}: ${problem.message}`).join("\n") || error.message;
      if (!error.problems) toast(error.message, { bad: true });
    } finally {
      button.removeAttribute("aria-busy");
    }
  };

  form.elements.which.addEventListener("change", () => {
    for (const each of form.querySelectorAll("[data-which]")) each.hidden = each.dataset.which !== form.elements.which.value;
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-open-backfill]")) dialog.showModal();
    if (event.target === dialog || (dialog.contains(event.target) && event.target.closest("[data-close]"))) dialog.close();
    const preview = event.target.closest("[data-preview]");
    if (preview) {
      ask(preview, "/api/v1/backfills/preview", (found) => {
        const runs = `${found.complete ? "" : "at least "}${found.runs} run${found.runs === 1 ? "" : "s"}`;
        words.textContent = `${found.targeted} partition${found.targeted === 1 ? "" : "s"} in ${runs}.`;
      });
    }
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(document.getElementById("backfill-button"), "/api/v1/backfills", (made) => location.assign(`/backfills/${made.backfill_id}`));
  });
}
