// The computer's page while a phone is at work: look every three seconds, show the newest picture of the QR code in place, so that nothing
// jumps and nothing is read out twice, and load the page anew only when something has happened. Without this script the browser loads the
// page anew every few seconds.
(() => {
  "use strict";
  const here = document.querySelector("[data-pairing]");
  const turning = ["qr", "pairing-status", "qr-address"];
  const look = async () => {
    try {
      const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" });
      if (!answer.ok) return location.reload(); // also where it leads on
      const there = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-pairing]");
      if (there?.dataset.pairing !== here.dataset.pairing) return location.reload();
      for (const id of turning) {
        const old = document.getElementById(id), now = there.querySelector(`#${id}`);
        if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(now);
      }
    } catch { /* the line is down for a moment: what is on the page stays */ }
    setTimeout(look, 3000);
  };
  setTimeout(look, 3000);
})();
