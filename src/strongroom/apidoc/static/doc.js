// Lets a reader send the requests of this page. The token lives in the page only; texts are set as text, never as HTML.
"use strict";

const token = document.getElementById("token");

function addressOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("input")) {
    if (field.dataset.in === "path") path = path.replace(`{${field.name}}`, encodeURIComponent(field.value.trim()));
    else if (field.dataset.in === "query" && field.value) query.set(field.name, field.value);
  }
  return query.size ? `${path}?${query}` : path;
}

function headersOf(form) {
  const headers = {};
  if (form.dataset.token === "yes") headers.Authorization = `Bearer ${token.value.trim()}`;
  if (form.elements.body) headers["Content-Type"] = "application/json";
  for (const field of form.querySelectorAll('input[data-in="header"]')) if (field.value) headers[field.name] = field.value;
  return headers;
}

function readable(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(form) {
  const output = form.querySelector("output");
  const empty = [...form.querySelectorAll('input[data-in="path"]')].find((field) => !field.value.trim());
  if (empty) {
    output.textContent = `Fill in ${empty.name} first.`;
    empty.focus();
    return;
  }
  output.textContent = "Sending …";
  try {
    const answer = await fetch(addressOf(form), {
      method: form.dataset.method,
      headers: headersOf(form),
      body: form.elements.body ? form.elements.body.value : undefined,
      credentials: "omit",
      redirect: "error",
    });
    const shown = readable(await answer.text());
    output.textContent = `${answer.status} ${answer.statusText}\nx-request-id: ${answer.headers.get("x-request-id")}\n\n${shown}`;
  } catch {
    output.textContent = "The request could not be sent.";
  }
}

document.getElementById("access").hidden = false;
document.getElementById("access").addEventListener("submit", (event) => event.preventDefault());
for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
