// What the pages do by themselves where there is a script; without it they work all the same.
// Hears from the service that something has changed, fetches this very page, and puts in place what
// is marked `data-live` and differs. What somebody types, has opened or holds the focus stays.
"use strict";
(() => {
  const shown = document.getElementById("live-state");
  const say = (state, words) => {
    if (!shown || shown.dataset.state === state) return;
    shown.dataset.state = state;
    shown.textContent = words;
  };

  const isBusy = (part) => {
    const focus = document.activeElement;
    return focus && part.contains(focus) && /^(INPUT|TEXTAREA|SELECT)$/.test(focus.tagName);
  };

  const put = (old, fresh) => {
    if (old.isEqualNode(fresh)) return;
    const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
    const focus = old.contains(document.activeElement) ? document.activeElement : null;
    const again = focus && (focus.id ? `#${CSS.escape(focus.id)}`
      : focus.getAttribute("href") ? `[href="${CSS.escape(focus.getAttribute("href"))}"]` : null);
    const scrolled = [...old.querySelectorAll("pre")].map((each) => each.scrollTop);
    const next = document.importNode(fresh, true);
    open.forEach((id) => next.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", ""));
    old.replaceWith(next);
    [...next.querySelectorAll("pre")].forEach((each, n) => { each.scrollTop = scrolled[n] || 0; });
    if (again) next.querySelector(again)?.focus({ preventScroll: true });
  };

  let fetching = false, wanted = false;
  const renew = async () => {
    if (fetching) { wanted = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", headers: { Accept: "text/html" } });
      if (new URL(answer.url).pathname === "/sign-in") { location.reload(); return; }
      if (!answer.ok) { say("reconnecting", "Reconnecting"); setTimeout(renew, 3000); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const fresh = page.getElementById(part.id);
        if (fresh && !isBusy(part)) put(part, fresh);
      }
      tick();
    } catch { /* the stream says that the service is away */ } finally {
      fetching = false;
      if (wanted) { wanted = false; setTimeout(renew, 1000); }
    }
  };

  const span = (seconds) => {
    for (const [unit, name] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
      if (seconds >= unit) return `${Math.floor(seconds / unit)} ${name}`;
    }
    return `${Math.floor(seconds)} s`;
  };
  const tick = () => {
    for (const each of document.querySelectorAll("time[data-ago]")) {
      const passed = (Date.now() - Date.parse(each.dateTime)) / 1000;
      if (passed >= 0) each.textContent = `${span(passed)} ago`;
    }
  };
  setInterval(() => { if (!document.hidden) tick(); }, 5000);

  let stream = null;
  const listen = () => {
    if (stream || document.hidden || !document.querySelector("[data-live]")) return;
    stream = new EventSource("/live");
    stream.onopen = () => say("live", "Live");
    stream.addEventListener("change", renew); // the first comes at once: the page may be older
    stream.addEventListener("end", () => location.reload());
    stream.onerror = () => {
      say("reconnecting", "Reconnecting");
      if (stream && stream.readyState === EventSource.CLOSED) { rest(); setTimeout(listen, 5000); }
    };
  };
  const rest = () => { if (stream) { stream.close(); stream = null; } };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { rest(); say("paused", "Paused"); } else listen();
  });
  // Some of what is shown comes with time alone: that nobody came, that a worker answers no more.
  setInterval(() => { if (!document.hidden && document.querySelector("[data-live]")) renew(); }, 15000);
  addEventListener("pagehide", rest);
  addEventListener("pageshow", listen);
  listen();

  // A filter that is chosen is applied; one that is typed, when its field is left.
  for (const form of document.querySelectorAll("form[data-applies]")) {
    for (const field of form.querySelectorAll("select")) field.addEventListener("change", () => form.requestSubmit());
  }
  // An empty filter has no place in an address.
  for (const form of document.querySelectorAll('form[method="get"]')) {
    form.addEventListener("submit", () => {
      for (const field of form.elements) if (field.name && !field.value) field.disabled = true;
    });
    addEventListener("pageshow", () => { for (const field of form.elements) field.disabled = false; });
  }
})();
