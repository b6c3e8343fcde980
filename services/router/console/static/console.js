// Shows instants in the reader's own time zone, sends the zone with instants that are typed, and keeps what was typed
// in this tab until the server has it: a session that ended or an outage throws no touch away.
"use strict";

const KEPT = "closeloop.typed";
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

for (const element of document.querySelectorAll("time[datetime]")) {
  const at = new Date(element.dateTime);
  if (element.textContent.endsWith("UTC")) element.textContent = format.format(at);
  else element.title = format.format(at) + " · " + element.title;
}

function local(date) {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

for (const input of document.querySelectorAll("input[type=datetime-local]")) {
  const zone = input.closest("label").querySelector(".zone");
  if (zone) zone.textContent = "(your time)";
  const typed = input.getAttribute("value");
  if (typed) input.value = local(new Date(/Z$|[+-]\d\d:\d\d$/.test(typed) ? typed : typed + "Z"));
  input.form.addEventListener("formdata", (event) => {
    if (input.value) event.formData.set(input.name, new Date(input.value).toISOString());
  });
}

for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    // A second click would only be answered as a repeat; better not to send it.
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    const action = form.getAttribute("action");
    if (action === "/signout") sessionStorage.removeItem(KEPT);
    else if (action !== "/signin" && typed(form).length) keep(form);
  });
}

function typed(form) {
  return [...form.elements].filter((field) => field.name && field.type !== "hidden");
}

function keep(form) {
  const values = typed(form).map((field) => [field.name, field.value]);
  sessionStorage.setItem(KEPT, JSON.stringify({ action: form.getAttribute("action"), values }));
}

function restore({ action, values }) {
  const form = [...document.forms].find((candidate) => candidate.getAttribute("action") === action);
  if (!form) return;
  const fields = new Map(typed(form).map((field) => [field.name, field]));
  for (const [name, value] of values) if (fields.has(name)) fields.get(name).value = value;
  form.closest("details")?.setAttribute("open", "");
  sessionStorage.removeItem(KEPT);
}

if (document.querySelector("[role=status]")) sessionStorage.removeItem(KEPT);
const kept = sessionStorage.getItem(KEPT);
if (kept) restore(JSON.parse(kept));

window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
