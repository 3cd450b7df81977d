// A page with a form to fill in is not led away before the sign-in ends. Instead a warning that is part of the page appears in time, and its
// button puts the end off without leaving what was typed. Without this script the form is kept if it is sent too late.
(() => {
  "use strict";
  const warning = document.getElementById("session-warning");
  const form = document.getElementById("session-stay");
  const wait = Number(warning.dataset.after) * 1000;
  const arm = () => setTimeout(() => { warning.hidden = false; }, wait);
  arm();
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.ok || new URL(answer.url).pathname === "/login") throw new Error("not signed in any more");
    } catch {
      return; // the words stay: they say when it ends, and that the form is kept
    }
    warning.hidden = true;
    arm();
  });
})();
