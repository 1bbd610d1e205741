// The answer form: ratings, words and submit in one place, driven by keys, with no rerun of the page while one works.
// Streamlit calls the default function at every rerun and mounts once, so all state lives on the mount point.

const ACK_PATIENCE_MS = 5000;

export default function ({ parentElement, data, setTriggerValue }) {
  const s = (parentElement.pitchpipe ??= newState(parentElement));
  s.data = data;
  s.trigger = setTriggerValue;
  if (!s.isListening) listen(s);
  settle(s, data.ack);
  const taskKey = `${data.kind}:${data.task_id}:${data.token}`;
  if (s.taskKey !== taskKey) loadTask(s, taskKey);
  return () => unlisten(s);
}

function newState(root) {
  const find = selector => root.querySelector(selector);
  return { root: find(".form"), questions: find(".questions"), answerBlock: find(".answer-block"), answer: find("#answer"),
           reason: find("#reason"), kept: find(".kept"), note: find(".note"), handedBack: find(".handed-back"), skipRow: find(".skip-row"),
           skipReason: find("#skip-reason"), go: find(".go"), skip: find(".skip"), undo: find(".undo"), help: find(".help"),
           keys: find(".keys"), status: find(".status"), skipNow: find(".skip-now"), skipCancel: find(".skip-cancel"),
           rows: [], picks: {}, active: 0, keptWords: "" };
}

function listen(s) {
  s.isListening = true;
  s.onkey = event => handleKey(s, event);
  s.onhide = () => { if (s.draftTimer) sendDraft(s); };
  document.addEventListener("keydown", s.onkey, true);
  window.addEventListener("pagehide", s.onhide);
  document.addEventListener("visibilitychange", s.onhide);
  s.ticker = setInterval(() => tick(s), 1000);
  s.channel = new BroadcastChannel("pitchpipe");
  s.channel.onmessage = event => hearOtherTab(s, event.data);
  s.answer.oninput = s.reason.oninput = () => keepDraft(s);
  s.go.onclick = () => submit(s);
  s.skip.onclick = () => openSkip(s, true);
  s.skipNow.onclick = () => skipTask(s);
  s.skipCancel.onclick = () => openSkip(s, false);
  s.undo.onclick = () => undoLast(s);
  s.help.onclick = () => toggleKeys(s);
}

function unlisten(s) {
  s.onhide();
  document.removeEventListener("keydown", s.onkey, true);
  window.removeEventListener("pagehide", s.onhide);
  document.removeEventListener("visibilitychange", s.onhide);
  clearInterval(s.ticker);
  clearTimeout(s.patience);
  s.channel.close();
  s.isListening = false;
}

function loadTask(s, taskKey) {
  const isFirst = s.taskKey === undefined;
  clearTimeout(s.draftTimer);
  Object.assign(s, { taskKey, task: s.data.task_id ?? null, token: s.data.token ?? null, draftTimer: null, hasMore: false,
                     shownAt: performance.now(), visibleSince: document.hidden ? null : performance.now(), keptAt: null, keptWords: "" });
  const draft = s.task ? newestDraft(s.data.annotator, s.task, s.data.draft) : null;
  s.picks = picksOf(s, draft?.value);
  s.answer.value = textOf(s, draft?.value) ?? s.data.prefill ?? "";
  s.reason.value = draft?.reason ?? "";
  s.secondsBefore = Number(draft?.seconds) || 0;
  // Under the same lease a repeat must carry the same id; after an undo the old id stands for the judgement taken back.
  s.judgementId = (draft?.token === s.token && draft?.judgement_id) || newJudgementId();
  s.skipId = newJudgementId();
  s.root.dataset.kind = s.data.kind;
  s.root.dataset.task = s.task ?? "";
  s.answerBlock.hidden = !s.data.text_label;
  s.answerBlock.querySelector(".title").textContent = s.data.text_label ?? "";
  s.root.querySelector(".reason-key").hidden = Boolean(s.data.text_label);
  buildQuestions(s);
  buildKeys(s);
  openSkip(s, false);
  showHandedBack(s);
  if (draft && !s.data.is_reopened) s.keptWords = "Draft restored";
  if (!s.sent) unlock(s);
  tick(s);
  showNote(s, s.data.is_reopened ? "Reopened. Change it and submit again; the earlier judgement no longer counts." : s.pendingNote ?? "", Boolean(s.pendingNote));
  s.pendingNote = null;
  // Out of the text, so that the first key on a new task rates it instead of being typed.
  s.root.getRootNode().activeElement?.blur();
  focusQuestion(s, Math.max(firstMissing(s), 0));
  if (isFirst) resendUnanswered(s);
}

function handleKey(s, event) {
  const target = event.composedPath()[0];
  if (event.isComposing || !s.root.isConnected) return;
  const typing = isTyping(target);
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    stop(event);
    if (!event.repeat) s.skipRow.hidden ? submit(s) : skipTask(s);
  } else if (event.key === "Escape") {
    if (!s.skipRow.hidden) openSkip(s, false);
    if (typing && s.root.contains(target)) { target.blur(); focusQuestion(s, s.active); }
  } else if (target === s.skipReason && event.key === "Enter") {
    stop(event);
    if (!event.repeat) skipTask(s);
  } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && pressPlain(s, event, target)) {
    stop(event);
  }
}

// Whether a plain key meant something here. Never r or c: Streamlit keeps those.
function pressPlain(s, event, target) {
  const key = event.key;
  const onRow = s.rows.includes(target);
  if (onRow && (key === "ArrowUp" || key === "ArrowDown") && s.rows.length > 1) { moveQuestion(s, key === "ArrowUp" ? -1 : 1); return true; }
  if (onRow && (key === "ArrowLeft" || key === "ArrowRight")) { movePick(s, key === "ArrowLeft" ? -1 : 1); return true; }
  if (event.repeat) return false;
  if (key === "u") { undoLast(s); return true; }
  if (s.isLocked) return false;
  if (/^[0-9]$/.test(key)) return pressDigit(s, key);
  if (key === "t" || key === "T") { if (s.task) focusText(s); return Boolean(s.task); }
  if (key === "s") { if (s.task) openSkip(s, true); return Boolean(s.task); }
  if (key === "?") { toggleKeys(s); return true; }
  return false;
}

function stop(event) { event.preventDefault(); event.stopPropagation(); }
function isTyping(element) { return Boolean(element) && (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) || element.isContentEditable); }

function focusText(s) {
  const field = s.data.text_label ? s.answer : s.reason;
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function submit(s) {
  if (s.isLocked || !s.task || performance.now() - s.shownAt < s.data.dwell_ms) return;
  const missing = firstMissing(s);
  if (missing >= 0) {
    s.rows[missing].classList.add("missing");
    focusQuestion(s, missing);
    return showStatus(s, s.data.kind === "compare" ? "Pick one of the nine first: 1 to 9." : `"${s.data.questions[missing].label}" has no answer yet.`, true);
  }
  if (s.data.text_label && !s.answer.value.trim()) { s.answer.focus(); return showStatus(s, "Write the text first, or skip the task.", true); }
  send(s, { ...sentOf(s, "submit", s.judgementId), value: valueOf(s), reason: wellFormed(s.reason.value).trim() });
}

function skipTask(s) {
  const reason = wellFormed(s.skipReason.value).trim();
  if (s.isLocked || !s.task || performance.now() - s.shownAt < s.data.dwell_ms) return;
  if (!reason) { s.skipReason.focus(); return showStatus(s, "Say in a few words why, so that the task can be mended.", true); }
  send(s, { ...sentOf(s, "skip", s.skipId), reason });
}

function undoLast(s) {
  if (s.isLocked) { s.wantsUndo = s.sent?.action !== "undo"; return; }  // regretted before the answer came: see settle
  if (s.draftTimer) sendDraft(s);
  send(s, sentOf(s, "undo", newJudgementId()));
}

function sentOf(s, action, id) {
  return { action, judgement_id: id, task_id: s.task, token: s.token, seconds: Math.round(secondsSpent(s) * 10) / 10,
           rubric_hash: s.data.rubric_hash, guideline_hash: s.data.guideline_hash };
}

function send(s, sent) {
  if (sent.action !== "undo") {
    const key = draftKey(s.data.annotator, sent.task_id);
    writeStored(key, { ...(sent.task_id === s.task ? localEntryOf(s) : readStored(key)), unanswered: sent });
  }
  if (s.firstSent?.judgement_id !== sent.judgement_id) s.firstSent = sent;
  clearTimeout(s.draftTimer);
  s.draftTimer = null;
  s.sent = sent;
  lock(s);
  s.trigger("sent", { ...sent, nonce: newJudgementId() });
  clearTimeout(s.patience);
  s.patience = setTimeout(() => {
    s.wantsUndo = false;
    unlock(s);
    showStatus(s, "No answer from the server yet. Your text is safe: press again, or reload the page.", true);
  }, ACK_PATIENCE_MS);
}

// Takes the server's word on what was sent. Only a clear "recorded" removes the draft.
function settle(s, ack) {
  if (!ack || s.ackNonce === ack.nonce) return;
  s.ackNonce = ack.nonce;
  const sent = s.sent?.judgement_id === ack.judgement_id ? s.sent : null;
  if (!sent) return;
  s.sent = null;
  clearTimeout(s.patience);
  const key = draftKey(s.data.annotator, sent.task_id);
  if (ack.outcome === "recorded" || ack.outcome === "repeated") {
    if (sent.action !== "undo") {
      localStorage.removeItem(key);
      s.channel.postMessage({ annotator: s.data.annotator, task: sent.task_id });
      // The first press counts. Whatever was changed before the second is handed back rather than dropped.
      if (JSON.stringify(contentOf(sent)) !== JSON.stringify(contentOf(s.firstSent))) handBack(s, sent);
    }
  } else if (ack.outcome === "stale") {
    localStorage.removeItem(key);
    s.pendingNote = ack.message;
    if (sent.action === "submit") handBack(s, sent);
  } else {
    const entry = readStored(key);
    if (entry) writeStored(key, { ...entry, unanswered: undefined });
  }
  unlock(s);
  const isRecorded = ack.outcome === "recorded" || ack.outcome === "repeated";
  showStatus(s, ack.message, !isRecorded);
  const isRegretted = s.wantsUndo && isRecorded;
  s.wantsUndo = false;
  if (isRegretted) undoLast(s);
}

function contentOf(sent) { return [sent?.value, sent?.reason]; }

function hearOtherTab(s, heard) {
  if (heard.annotator === s.data.annotator && heard.task === s.task) {
    showNote(s, "You finished this task in another tab. If you submit here, your text is handed back and the next task comes.", true);
  }
}

function lock(s) { setLock(s, true); showStatus(s, "Saving …"); }
function unlock(s) { setLock(s, false); showStatus(s, ""); }

function setLock(s, isLocked) {
  s.isLocked = isLocked;
  s.go.disabled = s.skip.disabled = s.undo.disabled = s.skipNow.disabled = isLocked;
  s.answer.readOnly = s.reason.readOnly = isLocked;
  s.root.dataset.state = isLocked ? "saving" : "ready";
}

function openSkip(s, isOpen) {
  s.skipRow.hidden = !isOpen;
  if (isOpen) s.skipReason.focus();
  else { s.skipReason.value = ""; showStatus(s, ""); }
}

function showStatus(s, words, isWarning = false) {
  s.status.textContent = words ?? "";
  s.status.classList.toggle("warn", isWarning);
}

function showNote(s, words, isWarning = false) {
  s.note.textContent = words;
  s.note.hidden = !words;
  s.note.classList.toggle("warn", isWarning);
}

// Time with the page in sight; a reload carries it on.
function secondsSpent(s) {
  return s.secondsBefore + (s.visibleSince === null ? 0 : (performance.now() - s.visibleSince) / 1000);
}

function tick(s) {
  if (document.hidden && s.visibleSince !== null) { s.secondsBefore = secondsSpent(s); s.visibleSince = null; }
  if (!document.hidden && s.visibleSince === null) s.visibleSince = performance.now();
  const seconds = Math.floor(secondsSpent(s));
  const clock = document.querySelector(".pp-seconds");  // drawn by the page above the cards; shows our clock
  if (clock && s.task) clock.textContent = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  showKept(s);
}

function toggleKeys(s) {
  s.keys.hidden = !s.keys.hidden;
  s.help.setAttribute("aria-expanded", String(!s.keys.hidden));
}

function buildKeys(s) {
  const kinds = { compare: [["1 … 7", "how much better, from A to B"], ["8", "both bad"], ["9", "cannot judge"]],
                  rate: [["digits", "answer the marked question and go to the next"], ["↑ ↓ Tab", "move between questions"], ["← →", "change the answer"]] };
  const rows = [...(kinds[s.data.kind] ?? []), ["T", "write"], ["Esc", "leave the text"], ["Ctrl ↵", "submit and next"],
                ["s", "skip with a reason"], ["u", "undo the last"], ["?", "show or hide this"]];
  s.keys.replaceChildren(...rows.flatMap(([key, words]) => {
    const term = document.createElement("dt");
    const shown = document.createElement("kbd");
    shown.textContent = key;
    term.append(shown);
    const meaning = document.createElement("dd");
    meaning.textContent = words;
    return [term, meaning];
  }));
}
