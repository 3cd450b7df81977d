// Copies what a button names to the clipboard and says so. Without this script the text is marked and copied by hand.
(() => {
  "use strict";
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const said = document.getElementById("copied");
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        said.textContent = said.dataset.text;
      } catch {
        said.textContent = ""; // the text stands there to be marked by hand
      }
    });
  }
})();
