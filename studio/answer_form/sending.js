// What goes to the server and what its word does to the form. Only a clear "recorded" removes a draft.

const ENDS_THE_TASK = ["submit", "skip"];

function sentOf(s, action, id) {
  return { action, judgement_id: id, task_id: s.task, token: s.token, seconds: Math.round(secondsSpent(s) * 10) / 10,
           rubric_hash: s.data.rubric_hash, guideline_hash: s.data.guideline_hash };
}

function send(s, sent) {
  if (ENDS_THE_TASK.includes(sent.action)) {
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

function settle(s, ack) {
  if (!ack || s.ackNonce === ack.nonce) return;
  s.ackNonce = ack.nonce;
  const sent = s.sent?.judgement_id === ack.judgement_id ? s.sent : null;
  if (!sent) return;
  s.sent = null;
  clearTimeout(s.patience);
  const isRecorded = ack.outcome === "recorded" || ack.outcome === "repeated";
  s.refusal = isRecorded ? null : ack.message;
  s.nextNote = ack.note;
  const endsTask = ENDS_THE_TASK.includes(sent.action);
  s.unansweredStep = null;
  if (isRecorded && endsTask) forgetDraft(s, sent, ack.outcome === "repeated");
  else if (ack.outcome === "stale") takeBackStale(s, sent, ack);
  else if (endsTask) markAnswered(s, sent);
  unlock(s);
  if (isRecorded && !endsTask && s.saying === sent.action) { openSaying(s, null); s.sayingIds[sent.action] = newJudgementId(); focusQuestion(s, s.active); }
  showStatus(s, ack.message, !isRecorded);
  const isRegretted = s.wantsUndo && isRecorded;
  s.wantsUndo = false;
  if (isRegretted) step(s, "undo");
}

function forgetDraft(s, sent, isRepeated) {
  localStorage.removeItem(draftKey(s.data.annotator, sent.task_id));
  s.channel.postMessage({ annotator: s.data.annotator, task: sent.task_id });
  // The first press counts. Whatever was changed before the second is handed back rather than dropped.
  if (isRepeated && JSON.stringify(contentOf(sent)) !== JSON.stringify(contentOf(s.firstSent))) handBack(s, sent);
}

function takeBackStale(s, sent, ack) {
  s.pendingNote = ack.message;
  const key = draftKey(s.data.annotator, sent.task_id);
  handBack(s, sent, readStored(key));
  localStorage.removeItem(key);
}

function markAnswered(s, sent) {
  const key = draftKey(s.data.annotator, sent.task_id);
  const entry = readStored(key);
  if (entry) writeStored(key, { ...entry, unanswered: undefined });
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
  for (const element of s.root.querySelectorAll(".actions button, .say-now")) element.disabled = isLocked;
  for (const field of s.root.querySelectorAll("textarea, input")) field.readOnly = isLocked;
  s.root.dataset.state = isLocked ? "saving" : "ready";
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
