// Turns what a person does on the page into calls of the doors under _sandbox/, and refreshes the page each second.
"use strict";

const me = document.body.dataset.user;
const part = (name) => document.getElementById(name);

async function door(name, body, method = "POST") {
  const answer = await fetch(`_sandbox/${name}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: method === "POST" ? JSON.stringify(body) : undefined,
  });
  const result = await answer.json();
  await refresh(true);
  return result;
}

// ---- refreshing

const shown = {};

function busy(region) {
  const active = document.activeElement;
  const typing = active && region.contains(active) && active.matches("input, textarea, select");
  return typing || region.querySelector("details[open]");
}

function replace(name, html, force) {
  const region = part(name);
  if (shown[name] === html || (!force && busy(region))) return;
  const pane = document.querySelector(".middle main");
  const atEnd = pane.scrollHeight - pane.scrollTop - pane.clientHeight < 80;
  shown[name] = html;
  region.innerHTML = html;
  localTimes(region);
  if (name === "main" && atEnd) pane.scrollTop = pane.scrollHeight;
}

let submitting = false;

function replaceModal(html) {
  const key = html.trim();
  if (submitting || shown.modal === key) return;
  shown.modal = key;
  part("modal").innerHTML = html;
  openModal();
}

function openModal() {
  const dialog = part("modal").querySelector("dialog");
  if (!dialog) return;
  localTimes(dialog);
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); closeModal(dialog); });
  dialog.showModal();
  dialog.querySelector(".blocks :is(input, select, textarea)")?.focus();
}

let asked = 0;
async function refresh(force = false) {
  const turn = ++asked;
  try {
    const answer = await fetch(`parts${location.search}`, { headers: { Accept: "application/json" } });
    if (!answer.ok || turn !== asked) return;
    const parts = await answer.json();
    for (const name of ["sidebar", "main", "backstage"]) replace(name, parts[name], force);
    replaceModal(parts.modal);
  } catch { /* the sandbox is restarting; the next second tries again */ }
}

// ---- fields

function localTimes(region) {
  for (const field of region.querySelectorAll("input[data-epoch]")) {
    if (!field.dataset.epoch) continue;
    const at = new Date(Number(field.dataset.epoch) * 1000);
    field.value = new Date(at - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
  }
}

function read(field) {
  if (field.type === "datetime-local") return field.value ? Math.floor(new Date(field.value).getTime() / 1000) : "";
  if (field.multiple) return [...field.selectedOptions].map((option) => option.value);
  if (field.dataset.kind === "external_select" && field.value) {
    const label = field.selectedOptions[0].text;
    return { value: field.value, text: { type: "plain_text", text: label } };
  }
  return field.value;
}

function entered(scope) {
  const values = {};
  for (const field of scope.querySelectorAll("input[data-action-id], textarea[data-action-id], select[data-action-id]")) {
    const { blockId, actionId, kind } = field.dataset;
    const block = (values[blockId] ??= {});
    if (kind === "checkboxes") {
      block[actionId] ??= [];
      if (field.checked) block[actionId].push(field.value);
    } else if (kind === "radio_buttons") {
      if (field.checked) block[actionId] = field.value;
    } else {
      block[actionId] = read(field);
    }
  }
  return values;
}

// ---- acting

function confirmed(control) {
  if (!control.dataset.confirm) return Promise.resolve(true);
  const asks = JSON.parse(control.dataset.confirm);
  const dialog = part("confirm");
  dialog.querySelector("h2").textContent = asks.title.text;
  dialog.querySelector("p").textContent = asks.text.text;
  const [no, yes] = dialog.querySelectorAll("[data-answer]");
  no.textContent = asks.deny.text;
  yes.textContent = asks.confirm.text;
  yes.className = asks.style === "danger" ? "danger" : "primary";
  dialog.showModal();
  return new Promise((resolve) => {
    no.onclick = () => dialog.close("no");
    yes.onclick = () => dialog.close("yes");
    dialog.onclose = () => { resolve(dialog.returnValue === "yes"); dialog.returnValue = ""; };
  });
}

async function act(control, value) {
  if (!(await confirmed(control))) return;
  control.closest("details.overflow")?.removeAttribute("open");
  const view = control.closest("[data-view-id]");
  const message = control.closest("article[data-ts]");
  const where = view
    ? { view_id: view.dataset.viewId, values: entered(view) }
    : { channel: message.dataset.channel, ts: message.dataset.ts };
  const { actionId, blockId, url } = control.dataset;
  if (url && /^https?:/.test(url)) window.open(url, "_blank", "noopener");
  control.classList.add("waiting");
  await door("click", { ...where, user: me, action_id: actionId, block_id: blockId, value });
  control.classList.remove("waiting");
}

function closeModal(dialog) {
  return door("close_view", { view_id: dialog.dataset.viewId, user: me });
}

document.addEventListener("click", (event) => {
  const control = event.target.closest("button[data-live]");
  if (control) act(control, control.dataset.value);
  const close = event.target.closest("[data-close]");
  if (close) closeModal(close.closest("dialog"));
});

document.addEventListener("change", (event) => {
  const field = event.target;
  if (field.id === "who") location.search = new URLSearchParams({ user: field.value });
  if (!field.matches("[data-live]:not(button)")) return;
  const { blockId, actionId } = field.dataset;
  const scope = field.closest(".block");
  act(field, entered(scope)[blockId][actionId]);
});

document.addEventListener("input", async (event) => {
  const id = event.target.dataset.suggest;
  if (!id) return;
  const select = document.getElementById(id);
  const view = select.closest("[data-view-id]");
  const message = select.closest("article[data-ts]");
  const where = view ? { view_id: view.dataset.viewId } : { channel: message.dataset.channel, ts: message.dataset.ts };
  const body = { ...where, user: me, action_id: select.dataset.actionId, value: event.target.value };
  const headers = { "Content-Type": "application/json" };
  const answer = await (await fetch("_sandbox/options", { method: "POST", headers, body: JSON.stringify(body) })).json();
  select.replaceChildren(new Option("Choose…", ""), ...(answer.options ?? []).map((o) => new Option(o.text.text, o.value)));
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  const dialog = form.closest("dialog.modal");
  if (dialog) {
    await submit(dialog, form);
  } else if (form.id === "composer") {
    await send(form.elements.text.value.trim());
    form.reset();
  } else if (form.id === "inject") {
    await door("faults", fault(form.elements));
  } else if (form.id === "add-person") {
    await door("users", { name: form.elements.name.value, email: form.elements.email.value });
    location.search = new URLSearchParams({ user: me });
  }
});

async function submit(dialog, form) {
  const button = form.querySelector("[type=submit]");
  if (!button || submitting) return;
  submitting = button.disabled = true;
  const body = { view_id: dialog.dataset.viewId, user: me, values: entered(form) };
  try { await door("submit", body); } finally { submitting = false; }
  shown.modal = null;
  await refresh(true);
}

function send(text) {
  const channel = document.body.dataset.channel;
  if (!text) return Promise.resolve();
  if (!text.startsWith("/")) return door("say", { user: me, channel, text });
  const [command, ...rest] = text.split(" ");
  return door("command", { command, user: me, channel, text: rest.join(" ") });
}

function fault({ kind, method, count, seconds, retry_after, error }) {
  const body = { kind: kind.value, method: method.value, error: error.value };
  if (count.value) body.count = Number(count.value);
  return { ...body, seconds: Number(seconds.value), retry_after: Number(retry_after.value) };
}

part("clear-faults").addEventListener("click", () => door("faults", null, "DELETE"));
if (document.body.dataset.tab === "home") door("home", { user: me });
const pane = part("main");
pane.scrollTop = pane.scrollHeight;
shown.modal = part("modal").innerHTML.trim();
localTimes(document);
openModal();
setInterval(refresh, 1000);
