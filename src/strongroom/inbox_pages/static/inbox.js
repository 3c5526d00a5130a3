// Looks for new messages and reloads only when there are some, so that the page stays where the reader scrolled to.
"use strict";
const shown = document.body.dataset;
async function look() {
  try {
    const answer = await fetch("/messages" + location.search, { cache: "no-store" });
    const messages = await answer.json();
    const newest = messages.length ? messages[messages.length - 1].id : "";
    if (newest !== shown.newest || String(messages.length) !== shown.count) location.reload();
  } catch {
    // the inbox is restarting: the next look finds it
  }
}
setInterval(() => { if (!document.hidden) look(); }, 2000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
