// Keeps the page of a run true while the run is open. Without it, each reload shows the same.
"use strict";
(() => {
  const LEAST = 2, MOST = 10, GROWTH = 1.5, PATIENCE = 20; // seconds; each answer without news makes the next wait longer
  const FOCUSABLE = "a, button, input, select, summary, [tabindex]";
  const news = new Map(), shown = new Map(); // parts of the page by id: as the server told them last, as they stand here
  let wait = LEAST, timer = 0, busy = false, query = location.search;
  let tag = live()?.dataset.tag;

  function live() {
    return document.querySelector("[data-poll]"); // gone when the run has ended: then nothing is asked any more
  }

  async function poll() {
    clearTimeout(timer);
    if (!live() || document.hidden || busy) return;
    busy = true;
    try {
      take(await ask());
      live()?.setAttribute("hidden", "");
    } catch {
      live()?.removeAttribute("hidden");
      again(LEAST, MOST);
    } finally {
      busy = false;
    }
  }

  async function ask() {
    if (query !== location.search) [query, tag] = [location.search, undefined];
    const headers = tag ? { "If-None-Match": tag } : {};
    const signal = AbortSignal.timeout(PATIENCE * 1000);
    const answer = await fetch(live().dataset.poll + query, { headers, signal, cache: "no-store" });
    if (answer.redirected || answer.status === 404) location.reload(); // to sign in, or because the run is gone
    else if (answer.status !== 304 && !answer.ok) throw new Error(answer.statusText);
    return { text: answer.status === 304 ? null : await answer.text(), headers: answer.headers };
  }

  function take({ text, headers }) {
    const [least, most] = (headers.get("Poll-Seconds") ?? `${LEAST}-${MOST}`).split("-").map(Number);
    if (text === null) wait = Math.min(wait * GROWTH, MOST);
    else {
      wait = LEAST;
      tag = headers.get("ETag") ?? undefined;
      read(new DOMParser().parseFromString(text, "text/html"));
    }
    draw();
    again(least, most);
  }

  function read(page) {
    const whole = page.querySelector("main");
    if (!whole) return page.querySelectorAll("[data-live]").forEach((part) => news.set(part.id, part.outerHTML));
    news.clear();
    if (isInUse(document.querySelector("main"))) return end();
    put(document.querySelector("main"), whole);
    tag = live()?.dataset.tag;
    follow();
  }

  function draw() {
    for (const [id, html] of news) {
      const old = document.getElementById(id);
      if (!old || shown.get(id) === html || isHeld(old)) continue;
      const holder = document.createElement("template");
      holder.innerHTML = html;
      put(old, holder.content.firstElementChild);
      shown.set(id, html);
    }
  }

  // What a person reads or marks is left as it is.
  function isHeld(part) {
    const marked = getSelection();
    if (!marked.isCollapsed && marked.containsNode(part, true)) return true;
    return part.id === "lines" && document.querySelector("#follow input")?.checked === false;
  }

  // What a person wrote and has not sent, or marks.
  function isInUse(main) {
    return isHeld(main) || [...main.querySelectorAll("input, textarea")].some(
      (field) => field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);
  }

  function end() {
    live().remove(); // nothing is asked any more
    document.getElementById("ended").removeAttribute("hidden");
  }

  function put(old, fresh) {
    const place = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement);
    for (const details of old.querySelectorAll("details[id]")) {
      const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
      if (same && details.open !== details.hasAttribute("data-open")) same.open = details.open; // a person's doing
    }
    const read = old.querySelector("svg[data-at]"), chart = fresh.querySelector("svg[data-chart]");
    old.replaceWith(fresh);
    if (read && chart) show(chart, Number(read.dataset.at)); // of chart.js
    if (place >= 0) fresh.querySelectorAll(FOCUSABLE)[place]?.focus({ preventScroll: true });
    htmx.process(fresh);
  }

  function again(least, most) {
    clearTimeout(timer);
    timer = setTimeout(poll, 1000 * Math.max(least, Math.min(wait, most)));
  }

  // The log keeps its end in view by itself; whoever scrolls up reads on undisturbed.
  function follow() {
    const box = document.querySelector("#follow input");
    if (!box || !live()) return;
    box.closest("[hidden]")?.removeAttribute("hidden");
    box.addEventListener("change", () => {
      if (box.checked) document.querySelector("#lines .follow").scrollTop = 0;
      draw();
    });
  }

  document.addEventListener("scroll", (event) => {
    const box = document.querySelector("#follow input");
    if (!box || !event.target.matches?.("#lines .follow")) return;
    box.checked = Math.abs(event.target.scrollTop) < 4;
    if (box.checked) draw();
  }, true);
  document.addEventListener("htmx:afterSwap", () => shown.clear());
  document.addEventListener("visibilitychange", poll);
  window.addEventListener("online", poll);
  follow();
  again(LEAST, MOST);
})();
