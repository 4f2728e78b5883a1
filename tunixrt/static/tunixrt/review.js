// The keys of the review page: each presses the button that shows it. The buttons themselves need no script.
"use strict";
(() => {
  let busy = false; // a key pressed while the page changes was not meant for what comes next
  const said = (text) => (document.getElementById("said").textContent = text);
  const isWriting = (element) => element.matches("input, select, textarea");

  function look() {
    const current = document.getElementById("current");
    if (!current) return;
    current.focus({ preventScroll: true });
    const fresh = document.querySelector("#review[data-fresh]"); // a new trace begins with its prompt
    (fresh ?? current).scrollIntoView({ block: fresh ? "start" : "nearest" });
  }

  document.documentElement.classList.add("keyed");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (isWriting(event.target)) {
      if (event.key === "Escape") look();
      return;
    }
    const review = document.getElementById("review");
    if (event.target !== document.body && !review.contains(event.target)) return;
    const button = review.querySelector(`[data-keys~="${CSS.escape(event.key)}"]`);
    if (!button) return;
    event.preventDefault();
    if (!busy && !event.repeat) button.click();
  });

  document.addEventListener("htmx:beforeRequest", () => (busy = true));
  document.addEventListener("htmx:afterRequest", () => (busy = false));
  document.addEventListener("htmx:afterSettle", look);
  document.addEventListener("htmx:beforeSwap", (event) => {
    const answered = new URL(event.detail.xhr.responseURL);
    if (answered.pathname === location.pathname) return;
    event.detail.shouldSwap = false; // another page, such as the login
    location.assign(answered);
  });
  for (const failure of ["htmx:responseError", "htmx:sendError"])
    document.addEventListener(failure, () => said("That was not saved: the server did not take it. Load the page again."));
})();
