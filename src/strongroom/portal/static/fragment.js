// A bank that answers in the address's fragment: only the browser sees it, so it is posted as a form.
"use strict";

(() => {
  const form = document.querySelector("form[data-fragment]");
  if (!form) return;
  const answer = new URLSearchParams(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
  if (![...answer.keys()].length) {
    document.querySelector("[data-fragment-empty]").hidden = false;
    document.querySelector("[data-fragment-wait]").hidden = true;
    return;
  }
  for (const [name, value] of answer) {
    const field = document.createElement("input");
    field.type = "hidden";
    field.name = name;
    field.value = value;
    form.append(field);
  }
  form.submit();
})();
