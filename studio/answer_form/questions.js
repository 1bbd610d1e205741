// The questions of a rubric as groups of options that digits answer. All words are set as text, never as markup.

function buildQuestions(s) {
  const questions = s.data.questions ?? [];
  s.rows = questions.map((question, index) => buildQuestion(s, question, index));
  s.questions.replaceChildren(...s.rows);
  s.active = 0;
  showPicks(s);
}

function buildQuestion(s, question, index) {
  const isScale = s.data.kind === "compare";
  const row = document.createElement("div");
  row.className = isScale ? "scale" : "row";
  row.tabIndex = 0;
  row.setAttribute("role", "radiogroup");
  row.setAttribute("aria-label", question.label);
  row.title = question.help ?? "";
  row.addEventListener("focusin", () => activate(s, index));
  const options = question.options.map(option => buildOption(s, question, index, option, isScale));
  if (isScale) { row.append(...options); return row; }
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = question.label;
  const group = document.createElement("span");
  group.className = "options";
  group.append(...options);
  const picked = document.createElement("span");
  picked.className = "picked";
  row.append(name, group, picked);
  return row;
}

function buildOption(s, question, index, option, isScale) {
  const element = button("", () => { activate(s, index); pick(s, index, option.value); s.rows[index].focus({ preventScroll: true }); });
  element.className = isScale && typeof option.value === "string" ? "option way-out" : "option";
  element.tabIndex = -1;
  element.dataset.value = option.value;
  element.setAttribute("role", "radio");
  element.setAttribute("aria-label", option.label);
  if (isScale) {
    const key = document.createElement("kbd");
    key.textContent = option.key;
    const words = document.createElement("span");
    words.textContent = option.label;
    element.append(key, words);
  } else {
    element.textContent = option.key;
    element.title = option.label;
  }
  return element;
}

function activate(s, index) {
  s.active = index;
  s.rows.forEach((row, position) => row.classList.toggle("active", position === index && s.rows.length > 1));
}

function focusQuestion(s, index) {
  const row = s.rows[index];
  if (row) row.focus({ preventScroll: true });
}

function pick(s, index, value) {
  if (s.isLocked) return;
  s.picks[s.data.questions[index].name] = value;
  s.rows[index].classList.remove("missing");
  showPicks(s);
  showStatus(s, "");
  keepDraft(s);
}

function showPicks(s) {
  (s.data.questions ?? []).forEach((question, index) => {
    const value = s.picks[question.name];
    for (const element of s.rows[index].querySelectorAll(".option")) {
      element.setAttribute("aria-checked", String(value !== undefined && element.dataset.value === String(value)));
    }
    const picked = s.rows[index].querySelector(".picked");
    const option = question.options.find(candidate => candidate.value === value);
    if (picked) picked.textContent = option ? option.label : "";
  });
}

// A digit answers the active question and moves on to the next one that is open.
function pressDigit(s, key) {
  const question = s.data.questions?.[s.active];
  const option = question?.options.find(candidate => candidate.key === key);
  if (!option) return false;
  const index = s.active;
  pick(s, index, option.value);
  focusQuestion(s, Math.min(index + 1, s.rows.length - 1));
  showPicks(s);
  return true;
}

function moveQuestion(s, step) {
  focusQuestion(s, Math.min(Math.max(s.active + step, 0), s.rows.length - 1));
  showPicks(s);
}

function movePick(s, step) {
  const question = s.data.questions[s.active];
  const now = question.options.findIndex(option => option.value === s.picks[question.name]);
  const next = now < 0 ? (step > 0 ? 0 : question.options.length - 1) : Math.min(Math.max(now + step, 0), question.options.length - 1);
  pick(s, s.active, question.options[next].value);
}

// What is picked and written, as the store takes it: in the order of the screen.
function valueOf(s) {
  const text = wellFormed(s.answer.value);
  if (s.data.kind === "compare") return valueOfPick(Object.values(s.picks)[0]);
  if (s.data.kind === "rate") return { ...s.picks };
  if (s.data.kind === "tag") return { labels: text.split(",").map(label => label.trim()).filter(Boolean) };
  return { text };
}

function valueOfPick(picked) {
  if (picked === undefined) return {};
  if (typeof picked === "string") return { verdict: picked, strength: null };
  return { verdict: picked < 0 ? "first" : picked > 0 ? "second" : "tie", strength: picked };
}

// The inverse, for a draft or a reopened judgement.
function picksOf(s, value) {
  const questions = s.data.questions ?? [];
  if (!value || questions.length === 0) return {};
  if (s.data.kind !== "compare") return { ...value };
  const picked = value.verdict === "tie" ? 0 : value.strength ?? { first: -2, second: 2 }[value.verdict] ?? value.verdict;
  return picked === undefined ? {} : { [questions[0].name]: picked };
}

function textOf(s, value) {
  if (s.data.kind === "tag") return value?.labels?.join(", ");
  return value?.text;
}

function firstMissing(s) {
  return (s.data.questions ?? []).findIndex(question => s.picks[question.name] === undefined);
}
