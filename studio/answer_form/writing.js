// The text field of a task: a correction of an answer, an answer of one's own, or labels of no rubric.

const LONGEST_COMPARED = 20000;

function buildWriting(s, value, corrections) {
  const text = s.data.text;
  s.writing = { answer: null, texts: { ...corrections } };
  const isCorrection = text?.kind === "edit";
  const given = s.data.kind === "screen" ? value?.edit : value;
  if (isCorrection && (!text.is_optional || given?.text !== undefined)) s.writing.answer = given?.answer ?? 0;
  if (isCorrection && s.writing.answer === null && corrections) s.writing.answer = Number(Object.keys(corrections)[0] ?? NaN) || (0 in corrections ? 0 : null);
  if (isCorrection && given?.text !== undefined) s.writing.texts[s.writing.answer] = given.text;
  s.answerBlock.querySelector(".title").textContent = text?.label ?? "";
  s.answerBlock.querySelector(".answer-key").textContent = text?.is_optional ? "e" : "t";
  s.root.querySelector(".reason-key").hidden = Boolean(text && !text.is_optional);
  s.correct.hidden = !(isCorrection && text.is_optional);
  s.instruction.value = given?.instruction ?? text?.instruction ?? "";
  s.instructionBlock.hidden = given?.instruction === undefined;
  s.answer.value = text?.kind === "tag" ? (value?.labels ?? []).join(", ") : isCorrection ? "" : given?.text ?? "";
  showWriting(s);
}

function showWriting(s) {
  const text = s.data.text;
  const { answer, texts } = s.writing;
  s.answerBlock.hidden = !text || (text.kind === "edit" && answer === null);
  if (text?.kind === "edit" && answer !== null) s.answer.value = texts[answer] ?? text.originals[answer];
  const which = s.answerBlock.querySelector(".which");
  which.hidden = !text?.is_optional;
  const choices = text?.is_optional ? [...text.originals.map((_, position) => position), null] : [];
  which.replaceChildren(...choices.map(position => {
    const words = position === null ? "no correction" : text.originals.length > 1 ? `Answer ${String.fromCharCode(65 + position)}` : "the answer";
    const element = button(words, () => correctAnswer(s, position), "option");
    element.setAttribute("role", "radio");
    element.setAttribute("aria-checked", String(position === answer));
    return element;
  }));
  if (choices.length && answer !== null) which.append(button("as it was", () => restoreAnswer(s), "option restore"));
  showChanges(s);
}

function restoreAnswer(s) {
  if (s.isLocked || s.writing.answer === null) return;
  delete s.writing.texts[s.writing.answer];
  s.answer.value = s.data.text.originals[s.writing.answer];
  noteWriting(s);
}

// The answers that were corrected so far; one correction is recorded with a judgement.
function correctionsOf(s) {
  const text = s.data.text;
  if (text?.kind !== "edit" || !text.is_optional || s.writing.answer === null) return {};
  const texts = { ...s.writing.texts, [s.writing.answer]: s.answer.value };
  return Object.fromEntries(Object.entries(texts).filter(([answer, words]) => words !== text.originals[answer]));
}

function correctAnswer(s, position) {
  if (s.isLocked) return;
  if (s.writing.answer !== null) s.writing.texts[s.writing.answer] = s.answer.value;
  s.writing.answer = position;
  showWriting(s);
  keepDraft(s);
  if (position === null) focusQuestion(s, s.active); else focusEnd(s.answer);
}

// The key opens the better answer first, then the others in turn.
function pressCorrect(s) {
  const text = s.data.text;
  if (text?.kind !== "edit" || !text.is_optional) return false;
  const compared = questionsOf(s).find(question => question.part === "compare");
  const better = typeof s.picks[compared?.id] === "number" && s.picks[compared.id] > 0 ? 1 : 0;
  const now = s.writing.answer;
  correctAnswer(s, now === null ? Math.min(better, text.originals.length - 1) : (now + 1) % text.originals.length);
  return true;
}

function pressInstruction(s) {
  if (s.data.text?.kind !== "write") return false;
  s.instructionBlock.hidden = false;
  focusEnd(s.instruction);
  return true;
}

function noteWriting(s) {
  if (s.writing.answer !== null) s.writing.texts[s.writing.answer] = s.answer.value;
  clearTimeout(s.changesTimer);
  s.changesTimer = setTimeout(() => showChanges(s), 200);
  keepDraft(s);
}

function showChanges(s) {
  const changes = s.answerBlock.querySelector(".changes");
  const original = s.data.text?.originals?.[s.writing.answer];
  const isShown = original !== undefined && original !== s.answer.value && original.length + s.answer.value.length < LONGEST_COMPARED;
  changes.hidden = !isShown;
  if (isShown) changes.replaceChildren(...buildChanges(original, s.answer.value));
}

function valueOfText(s, part) {
  const words = wellFormed(s.answer.value);
  if (part === "tag") return { labels: words.split(",").map(label => label.trim()).filter(Boolean) };
  if (part === "write") {
    const instruction = wellFormed(s.instruction.value);
    return { text: words, ...(!s.instructionBlock.hidden && instruction.trim() !== s.data.text.instruction.trim() ? { instruction } : {}) };
  }
  if (s.data.kind !== "screen") return { text: words };
  const corrected = Object.entries(correctionsOf(s));
  // The one on the screen, or the only one there is: whoever looked at another answer since has not taken it back.
  const [answer, text] = corrected.find(([place]) => Number(place) === s.writing.answer) ?? (corrected.length === 1 ? corrected[0] : []);
  return answer === undefined ? {} : { answer: Number(answer), text: wellFormed(text) };
}

function explainWriting(s) {
  const text = s.data.text;
  if (!text || (text.is_optional && s.writing.answer === null)) return "";
  if (Object.keys(correctionsOf(s)).length > 1) return "Several answers are corrected, and one correction is recorded. Press e to reach the others, and put them back as they were.";
  if (!s.answer.value.trim()) return "Write the text first, or skip the task.";
  if (text.kind === "edit" && !text.is_optional && s.answer.value === text.originals[0]) return "Nothing is changed yet. If the answer is right as it is, skip the task and say so.";
  return "";
}

function focusEnd(field) {
  field.focus();
  field.setSelectionRange(field.value.length, field.value.length);
}

function focusText(s) {
  focusEnd(s.data.text && !s.data.text.is_optional ? s.answer : s.reason);
}
