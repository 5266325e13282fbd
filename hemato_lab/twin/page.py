"""The page that shows a twin's studies while they are worked on; one file without anything from elsewhere.

It asks `/_twin/overview` every second. Whatever comes from there is put in as text, never as markup, and the headers
permit no script, style or connection but the page's own.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Final

from hemato_lab.report import RESEARCH_USE_NOTICE

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 75rem; padding: 1rem; }
header, footer { border: 0 solid #8888; }
header { border-bottom-width: 1px; }
footer { border-top-width: 1px; margin-top: 2rem; }
h1 { font-size: 1.4rem; margin: 0; }
.notice { font-weight: 600; }
.scrolls { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .4rem .6rem; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; }
td.id { font-family: ui-monospace, monospace; font-size: .85rem; white-space: nowrap; }
progress { width: 8rem; }
.status { border-radius: .3rem; padding: 0 .4rem; white-space: nowrap; border: 1px solid currentColor; }
.ready { color: #18794e; }
.failed, .lost { color: #c62a2f; }
.processing { color: #0b68cb; }
@media (prefers-color-scheme: dark) {
  .ready { color: #4cc38a; }
  .failed, .lost { color: #ff6369; }
  .processing { color: #52a9ff; }
}
"""

_SCRIPT: Final = """
"use strict";
const EVERY_MS = 1000;
const KNOWN = ["queued", "processing", "ready", "failed"];
const rows = new Map();
const place = (id) => document.getElementById(id);

function say(element, value) {
  const text = value === null || value === undefined ? "" : String(value);
  if (element.textContent !== text) element.textContent = text;
}

function cell(row, kind) {
  const made = document.createElement("td");
  if (kind) made.className = kind;
  row.append(made);
  return made;
}

function newRow() {
  const row = document.createElement("tr");
  const parts = { row, id: cell(row, "id"), status: document.createElement("span") };
  cell(row).append(parts.status);
  parts.bar = document.createElement("progress");
  parts.bar.max = 1;
  cell(row).append(parts.bar);
  for (const name of ["message", "tasks"]) parts[name] = cell(row);
  for (const name of ["files", "versions"]) parts[name] = cell(row, "number");
  for (const name of ["callbacks", "created"]) parts[name] = cell(row);
  return parts;
}

function callbacks(list) {
  return list.map((one) => one.event + ": " + one.state + (one.problem ? " (" + one.problem + ")" : "")).join(", ");
}

function show(parts, study) {
  const status = study.report_status;
  say(parts.id, study.pbs_study_id);
  say(parts.status, status);
  parts.status.className = "status " + (KNOWN.includes(status) ? status : "");
  parts.bar.value = Math.min(1, Math.max(0, Number(study.progress) || 0));
  parts.bar.ariaLabel = Math.round(100 * parts.bar.value) + " %";
  say(parts.message, study.progress_message);
  say(parts.tasks, study.tasks.join(", "));
  say(parts.files, study.files);
  say(parts.versions, study.versions);
  say(parts.callbacks, callbacks(study.callbacks));
  say(parts.created, new Date(1000 * study.created).toLocaleString());
}

function update(overview) {
  const jobs = Object.entries(overview.jobs).map(([state, count]) => count + " " + state).join(", ");
  say(place("server"), overview.version + " as region " + overview.region);
  say(place("work"), overview.workers + " workers; jobs: " + jobs);
  const old = new Set(rows.keys());
  const body = place("studies");
  overview.studies.forEach((study, index) => {
    const id = String(study.pbs_study_id);
    if (!rows.has(id)) rows.set(id, newRow());
    const { row } = rows.get(id);
    show(rows.get(id), study);
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
    old.delete(id);
  });
  for (const id of old) {
    rows.get(id).row.remove();
    rows.delete(id);
  }
  place("none").hidden = rows.size > 0;
}

async function look() {
  const state = place("state");
  try {
    const answer = await fetch("/_twin/overview", { cache: "no-store", headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error("answered " + answer.status);
    update(await answer.json());
    state.className = "";
    say(state, "live");
  } catch (problem) {
    state.className = "lost";
    say(state, "no connection to the twin: " + problem.message);
  }
  setTimeout(look, EVERY_MS);
}

look();
"""

_COLUMNS: Final = ("Study", "Status", "Progress", "Message", "Tasks", "Images", "Versions", "Callbacks", "Created")
_NUMBERS: Final = ("Images", "Versions")


def _hash(text: str) -> str:
    """Return what a Content-Security-Policy calls an inline script or style."""
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


_POLICY: Final = (
    "default-src 'none'",
    f"script-src {_hash(_SCRIPT)}",
    f"style-src {_hash(_STYLE)}",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
)
HEADERS: Final = {
    "content-security-policy": "; ".join(_POLICY),
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""Sent with the page."""


def page() -> str:
    """Return the page's HTML."""
    heads = "".join(f'<th scope="col"{" class=number" if name in _NUMBERS else ""}>{name}</th>' for name in _COLUMNS)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hemato_lab twin</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>hemato_lab twin of the Hemato.AI Diagnostic API</h1>
<p class="notice">{RESEARCH_USE_NOTICE}</p>
<p>This server is not Hemato.AI's. Its reports are made by hemato_lab on this machine.</p>
</header>
<main>
<p><span id="server"></span> <span id="state" role="status"></span><br><span id="work"></span></p>
<div class="scrolls">
<table>
<caption>The newest studies</caption>
<thead><tr>{heads}</tr></thead>
<tbody id="studies"></tbody>
</table>
</div>
<p id="none">No study yet.</p>
<noscript><p>This page needs JavaScript to look at the studies.</p></noscript>
</main>
<footer><p>How to call this server: <a href="/openapi.json">openapi.json</a></p></footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""
