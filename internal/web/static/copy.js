// Every text that is there to be copied gets a button that does it.
(() => {
  "use strict";
  for (const button of document.querySelectorAll("button[data-copy]")) {
    const from = document.getElementById(button.dataset.copy);
    const said = document.getElementById(button.dataset.copy + "-said");
    if (!from || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(from.textContent);
        said.textContent = button.dataset.done;
      } catch {
        said.textContent = "";
      }
    });
  }
})();
