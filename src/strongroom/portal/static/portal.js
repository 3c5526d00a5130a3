// What JavaScript adds to the customer's website. Every page works without it; no text lives here.
"use strict";

(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);
  const say = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const every = (seconds, act) => {
    const timer = setInterval(act, seconds * 1000);
    return () => clearInterval(timer);
  };

  // A summary of problems takes the focus.
  function focusProblems() {
    one("[data-take-focus]")?.focus();
  }

  // A form that acts is sent once, however often its button is pressed; coming back to the page arms it again.
  function sendOnce() {
    for (const form of all("form[data-once]")) {
      let sent = false;
      const mark = (is) => {
        sent = is;
        for (const button of form.querySelectorAll("button")) {
          if (is) button.setAttribute("aria-disabled", "true");
          else button.removeAttribute("aria-disabled");
        }
      };
      form.addEventListener("submit", (event) => {
        if (sent) event.preventDefault();
        else mark(true);
      });
      window.addEventListener("pageshow", () => mark(false));
    }
  }

  // A page that goes on being read is brought up to date in place: where its reader is, by eye or by keyboard, does not change.
  function renewParts(done, fail) {
    const request = new XMLHttpRequest(); // reads a page without a parser of our own, which the policy forbids
    request.responseType = "document";
    request.addEventListener("error", fail);
    request.addEventListener("load", () => {
      const fresh = (part) => request.response?.querySelector(`[data-part="${part.dataset.part}"]`);
      const parts = all("[data-part]");
      if (request.status !== 200 || !parts.every(fresh)) return location.reload();
      const isInView = (each) => each.getBoundingClientRect().top >= 0 && each.getBoundingClientRect().bottom <= innerHeight;
      const held = [document.activeElement, ...all("main a, main button")].filter((each) => each !== document.body).find(isInView);
      const top = held?.getBoundingClientRect().top;
      document.title = request.response.title;
      for (const part of parts) {
        const { innerHTML, dataset, childNodes } = fresh(part);
        if (part.innerHTML !== innerHTML) part.replaceChildren(...childNodes);
        if (part.dataset.live && !dataset.live) delete part.dataset.live;
        else if (dataset.live) part.dataset.live = dataset.live;
      }
      if (held) scrollBy({ top: held.getBoundingClientRect().top - top, behavior: "instant" }); // nothing moves under a finger
      return done();
    });
    request.open("GET", location.href);
    request.send();
  }

  // A live state is asked for, shown, announced, and replaced by the final page when there is one.
  function followState() {
    const region = one("[data-live]");
    if (!region) return;
    const words = region.querySelector(".state span");
    const folded = region.closest("details");
    const isUnseen = () => document.hidden || region.checkVisibility?.() === false;
    let asked = 0;
    const ask = async () => {
      asked += 1;
      try {
        const answer = await fetch(region.dataset.live, { headers: { accept: "application/json" }, cache: "no-store" });
        if (answer.status === 401 || answer.status === 403 || answer.redirected) return location.reload();
        if (answer.ok) {
          const state = await answer.json();
          if (state.text && words.textContent !== state.text) words.textContent = state.text;
          if (state.final && region.dataset.part) return renew();
          if (state.final) return setTimeout(() => (state.next ? location.assign(state.next) : location.reload()), 900);
        }
      } catch {
        // The network is away: ask again later.
      }
      return later();
    };
    const renew = () => renewParts(() => region.dataset.live && later(), later);
    const later = () => setTimeout(() => (isUnseen() ? later() : ask()), Math.min(1500 + asked * 250, 10000));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) asked = 0;
    });
    folded?.addEventListener("toggle", () => {
      asked = 0;
    });
    later();
  }

  // The way to the bank is taken by itself after some seconds, unless the reader says wait or came back with "Back".
  function goOn() {
    const link = one("[data-go-on]");
    const note = one("[data-go-on-note]");
    if (!link || !note) return;
    const words = note.querySelector("[data-go-on-text]");
    const stop = note.querySelector("[data-go-on-stop]");
    note.hidden = false;
    const wait = () => {
      words.textContent = words.dataset.waiting;
      stop.hidden = true;
    };
    if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") {
      wait();
      return;
    }
    let left = Number(link.dataset.goOn);
    words.textContent = say(words.dataset.text, { seconds: left });
    words.setAttribute("aria-live", "off");
    const halt = every(1, () => {
      left -= 1;
      if (left > 0) {
        words.textContent = say(words.dataset.text, { seconds: left });
        return;
      }
      halt();
      location.replace(link.href);
    });
    stop.addEventListener("click", () => {
      halt();
      words.setAttribute("aria-live", "polite");
      wait();
      link.focus();
    });
    link.addEventListener("click", halt);
    window.addEventListener("pagehide", halt);
  }

  // A minute before the session ends the reader is warned and can stay; afterwards the server says what was kept.
  function watchSession() {
    const bar = one("[data-session-warning]");
    if (!bar) return;
    const left = bar.querySelector("[data-session-left]");
    const form = bar.querySelector("[data-session-extend]");
    const length = Number(document.body.dataset.sessionSeconds) * 1000;
    let ends = Date.now() + length;
    const look = () => {
      const seconds = Math.ceil((ends - Date.now()) / 1000);
      if (seconds <= 0) {
        halt();
        location.reload();
      } else if (seconds <= 60) {
        left.textContent = say(left.dataset.text, { seconds });
        bar.hidden = false;
      }
    };
    const halt = every(1, look);
    look();
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const headers = { accept: "application/json" };
        const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers });
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        ends = Date.now() + length;
        bar.hidden = true;
        one("#main").focus({ preventScroll: true });
      } catch {
        form.submit();
      }
    });
  }

  // From the firm's app: the button presses itself once somebody can see the page, which previews never do.
  function pressWhenSeen() {
    const form = one("form[data-press]");
    if (!form) return;
    const press = () => {
      if (document.visibilityState !== "visible" || document.prerendering) return;
      document.removeEventListener("visibilitychange", press);
      requestAnimationFrame(() => form.requestSubmit());
    };
    document.addEventListener("visibilitychange", press);
    document.addEventListener("prerenderingchange", press);
    press();
  }

  // The list of banks narrows while the reader types; the search button does the same without JavaScript.
  function filterBanks() {
    const form = one("form[data-search]");
    const list = one("[data-banks]");
    if (!form || !list || form.q.value) return;
    const count = form.querySelector("[data-search-count]");
    const banks = [...list.querySelectorAll("[data-bank]")];
    form.q.addEventListener("input", () => {
      const wanted = form.q.value.trim().toLowerCase();
      let found = 0;
      for (const bank of banks) {
        bank.hidden = !bank.dataset.bank.includes(wanted);
        if (!bank.hidden) found += 1;
      }
      for (const group of list.querySelectorAll(".banks")) {
        const empty = !group.querySelector("[data-bank]:not([hidden])");
        group.hidden = empty;
        group.previousElementSibling.hidden = empty;
      }
      const { none, one: single, other } = count.dataset;
      if (!wanted) count.textContent = "";
      else if (!found) count.textContent = none;
      else count.textContent = found === 1 ? single : say(other, { count: found });
    });
  }

  // Another code can be asked for after some seconds; until then the button is out of the way.
  function countToResend() {
    const note = one("[data-resend]");
    if (!note) return;
    const button = one("[data-resend-button]");
    const ready = Date.now() + Number(note.dataset.resend) * 1000;
    const show = () => {
      const seconds = Math.ceil((ready - Date.now()) / 1000);
      button.hidden = seconds > 0;
      note.hidden = seconds <= 0;
      note.textContent = say(seconds === 1 ? note.dataset.one : note.dataset.other, { count: seconds });
      if (seconds <= 0) halt();
    };
    const halt = every(1, show);
    show();
  }

  // A receipt is printed from a button where there is a printer to ask.
  function offerPrint() {
    for (const button of all("[data-print]")) {
      button.hidden = false;
      button.addEventListener("click", () => window.print());
    }
  }

  for (const start of [
    focusProblems,
    sendOnce,
    followState,
    goOn,
    watchSession,
    pressWhenSeen,
    filterBanks,
    countToResend,
    offerPrint,
  ]) {
    start();
  }
})();
