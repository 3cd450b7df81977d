// The signed-out page when a service wants the citizen back: go on as soon as the frames in which the other services are told have
// loaded, which is when the page has, and at the latest after a few seconds. The way on is a link of the page; without this script
// the citizen takes it.
(() => {
  "use strict";
  const next = document.getElementById("signed-out-next");
  const go = () => location.replace(next.href); // the browser's "back" must not lead here again
  if (document.readyState === "complete") go();
  window.addEventListener("load", go);
  setTimeout(go, 5000);
})();
