// OpenID Connect Session Management 1.0 §3.2: a service asks from its own page whether the person's sign-in at this hub is still the
// one it was told of. The answer is worked out here, from a cookie that only we can read; no request is made.
(() => {
  "use strict";
  const cookie = document.currentScript.dataset.cookie + "=";
  const question = /^([!-~]{1,255}) ([0-9a-f]{64})\.([0-9A-Za-z_-]{1,64})$/;

  const browserState = () => {
    const found = document.cookie.split("; ").find((part) => part.startsWith(cookie));
    return found ? found.slice(cookie.length) : "";
  };

  // No cookie: either the browser has forgotten us, and the sign-in with us, or it keeps our cookies from us inside other sites. In
  // the second case "changed" would make the service end a session that is alive, so it is told that we cannot say.
  const withoutCookie = async () => {
    const readable = document.hasStorageAccess ? await document.hasStorageAccess() : true;
    return readable ? "changed" : "error";
  };

  const judge = async (message, origin) => {
    const m = typeof message === "string" ? question.exec(message) : null;
    if (!m || !window.crypto || !window.crypto.subtle) return "error";
    const state = browserState();
    if (state === "") return withoutCookie();
    const text = new TextEncoder().encode([m[1], origin, state, m[3]].join(" "));
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", text));
    const hex = Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex === m[2] ? "unchanged" : "changed";
  };

  // Only the page that frames us may ask; browsers that do not name it leave it to the origin inside the digest.
  const asker = () => {
    if (location.ancestorOrigins) return location.ancestorOrigins[0];
    return document.referrer === "" ? undefined : new URL(document.referrer).origin;
  };

  window.addEventListener("message", async (event) => {
    const parent = asker();
    if (window.parent === window || !event.source || event.origin === "null" || (parent && parent !== event.origin)) return;
    event.source.postMessage(await judge(event.data, event.origin), event.origin);
  });
})();
