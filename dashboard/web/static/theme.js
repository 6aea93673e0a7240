// Applies the chosen theme before the page is drawn, so that it does not flash; without a choice the system's counts.
const chosen = localStorage.getItem("uncia-theme");
if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
