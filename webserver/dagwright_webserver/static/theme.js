// Runs before the first paint, so that a remembered theme does not flash. Kept apart from app.js for that reason.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("dagwright.theme"), palette = localStorage.getItem("dagwright.palette");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    if (palette === "safe") root.dataset.palette = palette;
    // The server tells moments in the zone that this cookie names; an account's own wins.
    const zone = localStorage.getItem("dagwright.zone") || Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    const told = `dagwright_zone=${encodeURIComponent(zone)}`;
    if (document.cookie.split("; ").includes(told)) return;
    document.cookie = `${told};path=/;max-age=31536000;samesite=lax`;
    // The very first page was made without it.
    if (root.dataset.zone === "UTC" && new Date().getTimezoneOffset() && zone !== "UTC" && document.cookie.includes(told)) location.reload();
  } catch { /* storage is refused: the system's preference holds, and UTC */ }
})();
