// Makes a key pair in the browser (Web Cryptography API): the public half goes into the form's field of keys, the private half into a file that
// the browser offers to save. It is sent nowhere. Without this script keys are made with the operator's own tools.
(() => {
  "use strict";
  const box = document.getElementById("make-key");
  const field = document.getElementById("jwks");
  if (!box || !field || !window.crypto || !crypto.subtle) return;
  const go = document.getElementById("make-key-go");
  const done = document.getElementById("make-key-done");
  const file = document.getElementById("make-key-file");
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)));
  const url64 = (buffer) => text(buffer).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const known = () => {
    const set = JSON.parse(field.value.trim() || '{"keys":[]}');
    if (!Array.isArray(set.keys)) throw new Error("not a key set");
    return set;
  };

  const make = async () => {
    const set = known(); // what is there already stays, or nothing happens
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    const jwk = await crypto.subtle.exportKey("jwk", pair.publicKey);
    const thumb = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y }); // RFC 7638 §3
    const kid = url64(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(thumb)));
    set.keys.push({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y, kid, alg: "ES256", use: "sig" });
    const pkcs8 = text(await crypto.subtle.exportKey("pkcs8", pair.privateKey));
    const pem = `-----BEGIN PRIVATE KEY-----\n${pkcs8.match(/.{1,64}/g).join("\n")}\n-----END PRIVATE KEY-----\n`;
    field.value = JSON.stringify(set, null, 2);
    const address = document.getElementById("jwks_uri");
    if (address) address.value = ""; // one of the two
    if (file.href) URL.revokeObjectURL(file.href);
    file.href = URL.createObjectURL(new Blob([pem], { type: "application/x-pem-file" }));
    file.download = `${box.dataset.file}-${kid.slice(0, 8)}.pem`;
    file.hidden = false;
    document.getElementById("make-key-note").hidden = false;
  };

  go.addEventListener("click", async () => {
    done.textContent = "";
    try {
      await make();
      done.textContent = done.dataset.done;
      file.focus();
    } catch {
      done.textContent = done.dataset.failed;
    }
  });
  box.hidden = false;
})();
