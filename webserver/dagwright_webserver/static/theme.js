// Runs before the first paint, so that a remembered theme does not flash. Kept apart from app.js for that reason.
(() => {
  try {
    const theme = localStorage.getItem("dagwright.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage is refused: the system's preference holds */ }
  document.documentElement.classList.add("js");
})();
