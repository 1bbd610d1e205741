// What the annotator typed: in this browser at every key, in the store shortly after the last one.
// An entry leaves the browser only when the server has said that the judgement is recorded.

const DRAFT_PAUSE_MS = 800;

function draftKey(annotator, task) { return `pitchpipe:draft:${annotator}:${task}`; }
function handedBackKey(annotator) { return `pitchpipe:handed-back:${annotator}`; }

function readStored(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

function writeStored(key, value) {
  // A full or forbidden localStorage must not stop the work; the store still gets its copy.
  try { localStorage.setItem(key, JSON.stringify(value)); return true; } catch { return false; }
}

function wellFormed(text) { return text.toWellFormed ? text.toWellFormed() : text; }

function newJudgementId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));  // randomUUID is missing on plain http to another machine
  return [...bytes].map(byte => byte.toString(16).padStart(2, "0")).join("");
}

// The newer of what this browser and what the store kept; an undo leaves what was submitted in the store.
function newestDraft(annotator, task, fromStore) {
  const local = readStored(draftKey(annotator, task));
  return local && (!fromStore || (local.at ?? 0) >= (fromStore.at ?? 0)) ? local : fromStore;
}

function draftOf(s) {
  return { at: Date.now(), value: valueOf(s), corrections: correctionsOf(s), reason: wellFormed(s.reason.value), seconds: Math.round(secondsSpent(s)) };
}

// The same with what only this browser needs: the lease it belongs to and the id that a repeated submit must carry.
function localEntryOf(s) { return { ...draftOf(s), token: s.token, judgement_id: s.judgementId }; }

function keepDraft(s) {
  if (!s.task || s.isLocked) return;
  noteInput(s);
  const isLocal = writeStored(draftKey(s.data.annotator, s.task), localEntryOf(s));
  s.keptAt = null;
  s.keptWords = isLocal ? "Draft kept in this browser" : "";
  showKept(s);
  clearTimeout(s.draftTimer);
  s.draftTimer = setTimeout(() => sendDraft(s), DRAFT_PAUSE_MS);
}

async function sendDraft(s) {
  clearTimeout(s.draftTimer);
  s.draftTimer = null;
  if (!s.task || s.isLocked) return;
  if (s.isSending) { s.hasMore = true; return; }  // one at a time, so an older text never lands on a newer one
  s.isSending = true;
  const task = s.task;
  const body = JSON.stringify({ task_id: task, token: s.token, body: draftOf(s) });
  let status = 0;
  try {
    const answer = await fetch(s.data.draft_url, { method: "POST", headers: { "Content-Type": "application/json" }, body,
                                                    credentials: "same-origin", keepalive: body.length < 60000 });
    status = answer.status;
  } catch { status = 0; }
  s.isSending = false;
  if (s.task === task) noteDraftAnswer(s, status);
  if (s.hasMore) { s.hasMore = false; sendDraft(s); }
}

function noteDraftAnswer(s, status) {
  if (status === 200) { s.keptAt = Date.now(); s.keptWords = "Draft kept"; }
  else if (status === 401) showNote(s, "You are signed out. Your text is kept here: sign in again in this browser, then reload.", true);
  else if (status === 409 && s.note.hidden) showNote(s, "This task is no longer yours. If you submit, your text is handed back to you.", true);
  else if (status !== 409) s.keptWords = "Draft kept in this browser; the server does not take it";
  showKept(s);
}

function showKept(s) {
  const age = s.keptAt ? Math.round((Date.now() - s.keptAt) / 1000) : null;
  const words = age === null ? s.keptWords : `${s.keptWords} · ${age < 2 ? "just now" : age < 90 ? `${age} s ago` : `${Math.round(age / 60)} min ago`}`;
  if (s.kept.textContent !== words) s.kept.textContent = words;
}

// A submit that was sent but never answered (a reload at the wrong moment): sent again under its own id, which the
// store recognises if it has it already.
function resendUnanswered(s) {
  const prefix = draftKey(s.data.annotator, "");
  for (const key of Object.keys(localStorage)) {
    const entry = key.startsWith(prefix) ? readStored(key) : null;
    if (entry?.unanswered && entry.unanswered.task_id !== s.task) {
      send(s, entry.unanswered);
      return;
    }
  }
}

// Whatever somebody typed for a task that is no longer theirs: shown until they discard it.
function handBack(s, sent, entry = null) {
  const typed = [...wordsIn(sent.value), ...wordsIn(entry?.value), ...wordsIn(entry?.corrections), entry?.reason, sent.reason];
  const words = [...new Set(typed.filter(Boolean))].join("\n\n");
  const key = handedBackKey(s.data.annotator);
  const items = readStored(key) ?? [];
  if (words) writeStored(key, [...items, { words, at: Date.now() }].slice(-10));
  showHandedBack(s);
}

// Every text of a value that somebody may have typed; names of options and labels are no words of theirs.
function wordsIn(value) {
  if (Array.isArray(value)) return value.flatMap(wordsIn);
  if (!value || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, one]) => (typeof one === "string" ? (name === "verdict" || name === "label" ? [] : [one]) : wordsIn(one)));
}

function showHandedBack(s) {
  const key = handedBackKey(s.data.annotator);
  const items = readStored(key) ?? [];
  s.handedBack.replaceChildren(...items.map(item => {
    const box = document.createElement("div");
    const title = document.createElement("strong");
    title.textContent = "Not recorded. Your text:";
    const words = document.createElement("pre");
    words.textContent = item.words;
    const copy = button("Copy", () => navigator.clipboard?.writeText(item.words));
    const drop = button("Discard", () => {
      writeStored(key, (readStored(key) ?? []).filter(other => other.at !== item.at));
      showHandedBack(s);
    });
    box.append(title, words, copy, drop);
    return box;
  }));
  s.handedBack.hidden = items.length === 0;
}
