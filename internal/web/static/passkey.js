// Asks the authenticator for what the form's data-options say (Web Authentication Level 3 §5.1.3, §5.1.4), puts its answer into the form
// and sends it. The form is hidden until here, because without a script it could only send nothing.
(() => {
  "use strict";
  const form = document.getElementById("passkey");
  const show = (id, on) => { document.getElementById(id).hidden = !on; };
  if (!window.PublicKeyCredential || !navigator.credentials) {
    show("passkey-unsupported", true);
    return;
  }
  const button = document.getElementById("passkey-go");
  const create = form.dataset.ceremony === "create";

  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

  const wanted = () => {
    const options = JSON.parse(form.dataset.options);
    options.challenge = bytes(options.challenge);
    if (create) {
      options.user.id = bytes(options.user.id);
      options.user.name = options.user.displayName = form.elements.name.value.trim() || options.user.name;
      for (const known of options.excludeCredentials || []) known.id = bytes(known.id);
    }
    return options;
  };

  const spoken = (credential) => {
    const from = credential.response;
    const response = { clientDataJSON: text(from.clientDataJSON) };
    if (create) {
      response.attestationObject = text(from.attestationObject);
      response.transports = from.getTransports ? from.getTransports() : [];
    } else {
      response.authenticatorData = text(from.authenticatorData);
      response.signature = text(from.signature);
      if (from.userHandle) response.userHandle = text(from.userHandle);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  };

  let busy = false;
  const ask = async () => {
    if (busy) return;
    busy = true;
    button.setAttribute("aria-busy", "true");
    show("passkey-failed", false);
    show("passkey-excluded", false);
    try {
      const publicKey = wanted();
      const credential = await (create ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey }));
      form.elements.credential.value = spoken(credential);
      form.submit();
      return; // busy until the next page is there
    } catch (problem) {
      show(problem.name === "InvalidStateError" ? "passkey-excluded" : "passkey-failed", true);
    }
    busy = false;
    button.removeAttribute("aria-busy");
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  form.hidden = false;
  if (!create) ask(); // one press less; where the browser wants a press first, the button takes it
})();
