// Shows what is typed in the sample of the page that citizens will see. Without this script the sample shows what was saved last.
(() => {
  "use strict";
  const preview = document.getElementById("preview");
  for (const place of preview.querySelectorAll("[data-preview]")) {
    const field = document.getElementById(place.dataset.preview);
    if (!field) continue;
    const empty = place.textContent;
    field.addEventListener("input", () => { place.textContent = field.value.trim() || empty; });
  }
})();
