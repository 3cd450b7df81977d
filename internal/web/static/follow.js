// A page about something that is going on brings what it shows up to date by itself. What changes is marked data-follow; the mark says in what
// state it is, and once that is another one the page is read anew as a whole. Whoever wants it to stand still can stop it, where the page has a
// button for that. Without this script the browser reads the page again now and then, or the person does.
(() => {
  "use strict";
  const part = document.querySelector("[data-follow]");
  if (!part) return;
  const wait = Number(part.dataset.every || 2) * 1000;
  const stop = document.getElementById("follow-stop");
  let stopped = false;
  if (stop) {
    stop.hidden = false;
    stop.addEventListener("click", () => {
      stopped = !stopped;
      stop.setAttribute("aria-pressed", String(stopped));
      if (!stopped) setTimeout(look, 0);
    });
  }
  let shown = part.innerHTML;
  async function look() {
    if (stopped) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-follow]");
      if (!answer.ok || !fresh || fresh.dataset.follow !== part.dataset.follow) {
        location.reload();
        return;
      }
      // Only what differs is touched, and nothing that the person is in.
      if (fresh.innerHTML !== shown && !part.contains(document.activeElement)) {
        shown = fresh.innerHTML;
        part.replaceChildren(...document.importNode(fresh, true).childNodes);
      }
    } catch {
      // The next one may come through.
    }
    setTimeout(look, wait);
  }
  setTimeout(look, wait);
})();
