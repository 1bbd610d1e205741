// The answer form: ratings, words and submit in one place, driven by keys, with no rerun of the page while one works.
// Streamlit calls the default function at every rerun and mounts once, so all state lives on the mount point.

const ACK_PATIENCE_MS = 5000;
const SAYING = {
  skip: { label: "Why skip?", hint: "a few words: wrong language, lacks context …", go: "Skip this task", missing: "Say in a few words why, so that the task can be mended." },
  flag: { label: "What is wrong with this task?", hint: "the curator reads it; the task stays with you", go: "Flag it", missing: "Say in a few words what the curator should look at." },
  comment: { label: "A word to the curator", hint: "a question, a doubt about the guideline …", go: "Send", missing: "Write a few words first." },
};

export default function ({ parentElement, data, setTriggerValue }) {
  const s = (parentElement.pitchpipe ??= newState(parentElement));
  s.data = data;
  s.trigger = setTriggerValue;
  if (!s.isListening) listen(s);
  settle(s, data.ack);
  const taskKey = `${data.kind}:${data.task_id}:${data.token}:${data.rubric_hash}`;
  if (s.taskKey !== taskKey) loadTask(s, taskKey);
  return () => unlisten(s);
}

function newState(root) {
  const find = selector => root.querySelector(selector);
  return { root: find(".form"), questions: find(".questions"), answerBlock: find(".answer-block"), answer: find("#answer"),
           instructionBlock: find(".instruction-block"), instruction: find("#instruction"), reason: find("#reason"),
           kept: find(".kept"), note: find(".note.told"), breakNote: find(".break"), suggestion: find(".suggestion"),
           handedBack: find(".handed-back"), sayRow: find(".say-row"), say: find("#say"), sayNow: find(".say-now"),
           go: find(".go"), correct: find(".correct"), undo: find(".undo"), overlay: find(".overlay"), keys: find(".keys"),
           status: find(".status"), rows: [], picks: {}, active: 0, keptWords: "", seconds: 0, tickedAt: 0, inputAt: 0 };
}

function listen(s) {
  s.isListening = true;
  s.onkey = event => handleKey(s, event);
  s.onhide = () => { if (s.draftTimer) sendDraft(s); };
  s.onmove = () => noteInput(s);
  document.addEventListener("keydown", s.onkey, true);
  for (const moved of ["pointermove", "wheel"]) document.addEventListener(moved, s.onmove, { passive: true });
  window.addEventListener("pagehide", s.onhide);
  document.addEventListener("visibilitychange", s.onhide);
  s.ticker = setInterval(() => tick(s), 1000);
  s.channel = new BroadcastChannel("pitchpipe");
  s.channel.onmessage = event => hearOtherTab(s, event.data);
  s.answer.oninput = s.instruction.oninput = () => noteWriting(s);
  s.reason.oninput = () => keepDraft(s);
  s.go.onclick = () => submit(s);
  s.correct.onclick = () => pressCorrect(s);
  s.root.querySelector(".skip").onclick = () => openSaying(s, "skip");
  s.root.querySelector(".flag").onclick = () => openSaying(s, "flag");
  s.sayNow.onclick = () => sendSaying(s);
  s.root.querySelector(".say-cancel").onclick = () => openSaying(s, null);
  s.undo.onclick = () => step(s, "undo");
  s.root.querySelector(".help").onclick = () => toggleKeys(s);
  s.overlay.onclick = event => { if (event.target === s.overlay) toggleKeys(s, false); };
  restoreLook();
}

function unlisten(s) {
  s.onhide();
  document.removeEventListener("keydown", s.onkey, true);
  for (const moved of ["pointermove", "wheel"]) document.removeEventListener(moved, s.onmove);
  window.removeEventListener("pagehide", s.onhide);
  document.removeEventListener("visibilitychange", s.onhide);
  clearInterval(s.ticker);
  clearTimeout(s.patience);
  s.channel.close();
  hideDifferences(s);
  s.isListening = false;
}

function loadTask(s, taskKey) {
  const isFirst = s.taskKey === undefined;
  const isSameTask = s.task !== null && s.task === s.data.task_id && s.token === s.data.token;
  if (isSameTask) keepDraft(s);  // the questions changed under an open task: what was entered goes on under the new ones
  clearTimeout(s.draftTimer);
  Object.assign(s, { taskKey, task: s.data.task_id ?? null, token: s.data.token ?? null, draftTimer: null, hasMore: false,
                     shownAt: performance.now(), keptAt: null, keptWords: "" });
  const draft = s.task ? newestDraft(s.data.annotator, s.task, s.data.draft) : null;
  s.picks = picksOf(s, draft?.value);
  buildWriting(s, draft?.value, draft?.corrections);
  s.reason.value = draft?.reason ?? "";
  startClock(s, Number(draft?.seconds) || 0);
  // Under the same lease a repeat must carry the same id; after an undo the old id stands for the judgement taken back.
  s.judgementId = (draft?.token === s.token && draft?.judgement_id) || newJudgementId();
  s.sayingIds = { skip: newJudgementId(), flag: newJudgementId(), comment: newJudgementId() };
  s.root.dataset.kind = s.data.kind;
  s.root.dataset.task = s.task ?? "";
  hideDifferences(s);
  toggleSheetOff(s);
  buildQuestions(s);
  showSuggestion(s);
  openSaying(s, null);
  showHandedBack(s);
  if (draft && !s.data.is_reopened) s.keptWords = "Draft restored";
  if (!s.sent) unlock(s);
  tick(s);
  tellBeforehand(s, isSameTask);
  // Out of the text, so that the first key on a new task rates it instead of being typed.
  s.root.getRootNode().activeElement?.blur();
  focusQuestion(s, Math.max(firstMissing(s), 0));
  if (isFirst) resendUnanswered(s);
}

// What the annotator should know before the task: how the last step went, or why this one is back.
function tellBeforehand(s, isSameTask) {
  const warning = s.pendingNote ?? (isSameTask ? s.refusal : null);
  const again = s.data.asked_again === null || s.data.asked_again === undefined ? null : `Please judge this again: the guideline has changed since. ${s.data.asked_again}`;
  const reopened = s.data.is_reopened ? "Reopened. Change it and submit again; the earlier judgement no longer counts." : "";
  showNote(s, warning ?? again ?? [s.nextNote, reopened].filter(Boolean).join(" "), Boolean(warning));
  s.pendingNote = s.nextNote = null;
}

function toggleSheetOff(s) { s.overlay.hidden = true; }

function showSuggestion(s) {
  const given = s.data.suggestion;
  s.suggestion.hidden = !given;
  if (!given) return;
  const picks = picksOf(s, given.value);
  const told = questionsOf(s).filter(question => picks[question.id] !== undefined).map(question => {
    const names = [picks[question.id]].flat().map(value => question.options.find(option => option.value === value)?.label ?? value);
    return `${question.label}: ${names.join(", ")}`;
  });
  const words = told.join(" · ") || given.value?.text || "";
  const score = given.score === null || given.score === undefined ? "" : ` (score ${Number(given.score).toFixed(2)})`;
  s.suggestion.replaceChildren(make("strong", "", "Suggested "), make("span", "", `${words}${score} `), button("Take it over", () => takeSuggestion(s)), make("kbd", "", "a"));
}

function takeSuggestion(s) {
  if (!s.data.suggestion || s.isLocked) return false;
  s.picks = { ...s.picks, ...picksOf(s, s.data.suggestion.value) };
  if (s.data.text && s.data.suggestion.value?.text) { s.answer.value = s.data.suggestion.value.text; noteWriting(s); }
  showPicks(s);
  keepDraft(s);
  return true;
}

function handleKey(s, event) {
  const target = event.composedPath()[0];
  if (event.isComposing || !s.root.isConnected) return;
  noteInput(s);
  const typing = isTyping(target);
  if (!s.overlay.hidden) {
    if (event.key === "Escape" || event.key === "?" || event.key === "Tab") { stop(event); if (event.key !== "Tab") toggleKeys(s, false); }
    else if (!event.ctrlKey && !event.metaKey) stop(event);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    stop(event);
    if (!event.repeat) { if (s.sayRow.hidden) submit(s); else sendSaying(s); }
  } else if (event.key === "Escape") {
    putOffBreak(s);
    if (!s.sayRow.hidden) openSaying(s, null);
    if (typing && s.root.contains(target)) { target.blur(); leaveText(s, target); }
  } else if (event.key === "Enter" && target.tagName === "INPUT" && s.root.contains(target)) {
    stop(event);
    if (event.repeat) return;
    if (target === s.say) sendSaying(s); else moveOn(s, s.active);
  } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && pressPlain(s, event, target)) {
    stop(event);
  } else if (typing && s.root.contains(target) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    // Seen from outside the component the target is no text field, and Streamlit would take r and c for its own keys.
    event.stopPropagation();
  }
}

// Out of a line of words the next key shall be a key, so the focus goes to its row rather than back into the line.
function leaveText(s, target) {
  const row = s.rows[s.active];
  if (row?.contains(target)) row.focus({ preventScroll: true }); else focusQuestion(s, s.active);
}

// Whether a plain key meant something here. Never r or c: Streamlit keeps those.
function pressPlain(s, event, target) {
  const key = event.key;
  const isMarking = target.classList?.contains("marking");
  if (isMarking && !s.isLocked && pressInMarking(s, event)) return true;
  const onRow = s.rows.includes(target);
  if (onRow && (key === "ArrowUp" || key === "ArrowDown") && s.rows.length > 1) { moveQuestion(s, key === "ArrowUp" ? -1 : 1); return true; }
  if (onRow && (key === "ArrowLeft" || key === "ArrowRight")) { movePick(s, key === "ArrowLeft" ? -1 : 1); return true; }
  if (event.repeat) return false;
  if (key === "?") { toggleKeys(s); return true; }
  if (key === "u" || key === "y") { step(s, key === "u" ? "undo" : "redo"); return true; }
  if (key === "h") return openHistory();
  if (!s.task) return false;
  const looks = { d: () => toggleDifferences(s), m: () => toggleRendered(s), v: () => toggleLook("stacked"), x: () => toggleLook("unfolded") };
  if (looks[key]) { looks[key](); return true; }
  if (s.isLocked) return false;
  if (/^[0-9]$/.test(key)) return pressDigit(s, key);
  if (key === " ") return onRow && pressSpace(s);
  const words = { t: focusText, T: focusText, s: () => openSaying(s, "skip"), f: () => openSaying(s, "flag"), w: () => openSaying(s, "comment") };
  if (words[key]) { words[key](s); return true; }
  if (key === "e") return pressCorrect(s);
  if (key === "i") return pressInstruction(s);
  return key === "a" && takeSuggestion(s);
}

function stop(event) { event.preventDefault(); event.stopPropagation(); }
function isTyping(element) { return Boolean(element) && (/^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName) || element.isContentEditable); }

function openHistory() {
  const link = document.querySelector('[data-testid="stSidebar"] a[href$="history"]');
  link?.click();
  return Boolean(link);
}

function toggleRendered(s) { s.trigger("view", { is_rendered: !s.data.is_rendered, nonce: newJudgementId() }); }

function submit(s) {
  if (s.isLocked || !s.task || performance.now() - s.shownAt < s.data.dwell_ms) return;
  const missing = firstMissing(s);
  if (missing >= 0) {
    s.rows[missing].classList.add("missing");
    focusQuestion(s, missing);
    return showStatus(s, explainMissing(s, missing), true);
  }
  const fault = explainGap(s);
  if (fault) return showStatus(s, fault, true);
  const unwritten = explainWriting(s);
  if (unwritten) { focusEnd(s.answer); return showStatus(s, unwritten, true); }
  send(s, { ...sentOf(s, "submit", s.judgementId), value: valueOf(s), reason: wellFormed(s.reason.value).trim() });
}

function openSaying(s, action) {
  s.saying = s.task && !s.isLocked ? action : null;
  s.sayRow.hidden = !s.saying;
  s.say.value = "";
  showStatus(s, "");
  if (!s.saying) return;
  const { label, hint, go } = SAYING[s.saying];
  s.sayRow.querySelector("label").textContent = label;
  s.say.placeholder = hint;
  s.sayNow.querySelector("span").textContent = go;
  s.say.focus();
}

function sendSaying(s) {
  const reason = wellFormed(s.say.value).trim();
  if (s.isLocked || !s.task || !s.saying || performance.now() - s.shownAt < s.data.dwell_ms) return;
  if (!reason) { s.say.focus(); showStatus(s, SAYING[s.saying].missing, true); return; }
  send(s, { ...sentOf(s, s.saying, s.sayingIds[s.saying]), reason });
}

// One step back or forth through everything that the annotator did.
function step(s, action) {
  if (s.isLocked) { if (action === "undo") s.wantsUndo = s.sent?.action !== "undo"; return; }  // regretted before the answer came: see settle
  if (s.draftTimer) sendDraft(s);
  // A step that was never answered is asked for again under its own id, so that it is not taken twice.
  if (s.unansweredStep?.action !== action) s.unansweredStep = { action, id: newJudgementId() };
  send(s, sentOf(s, action, s.unansweredStep.id));
}
