// A page about something that is going on brings what it shows up to date by itself. What changes is marked data-follow; the mark says in what
// state it is, and once that is another one the page is read anew as a whole. Whoever wants it to stand still can stop it, where the page has a
// button for that. Without this script the browser reads the page again now and then, or the person does.
(() => {
  "use strict";
  const part = document.querySelector("[data-follow]");
  if (!part) return;
  const wait = Number(part.dataset.every || 2) * 1000;
  const stop = document.getElementById("follow-stop");
  const said = document.getElementById("follow-said");
  let stopped = false;
  let timer = setTimeout(look, wait);
  if (stop) {
    stop.hidden = false;
    stop.addEventListener("click", () => {
      stopped = !stopped;
      stop.setAttribute("aria-pressed", String(stopped));
      clearTimeout(timer); // one at a time, however often it is pressed
      if (!stopped) timer = setTimeout(look, 0);
    });
  }
  let shown = part.innerHTML;
  async function look() {
    let fresh;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
      // Whoever is not signed in any more, or may not see it, is told so by the page itself.
      if (answer.type === "opaqueredirect" || (answer.status >= 400 && answer.status < 500 && answer.status !== 429)) {
        location.reload();
        return;
      }
      if (answer.ok) fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-follow]");
    } catch {
      // The next one may come through.
    }
    if (fresh && fresh.dataset.follow !== part.dataset.follow) {
      location.reload();
      return;
    }
    // Only what differs is touched, and nothing that the person is in.
    if (fresh && !stopped && fresh.innerHTML !== shown && !part.contains(document.activeElement)) {
      shown = fresh.innerHTML;
      part.replaceChildren(...document.importNode(fresh, true).childNodes);
    }
    const stale = fresh ? "" : said?.dataset.stale;
    if (said && said.textContent !== stale) said.textContent = stale;
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(look, wait);
  }
})();
