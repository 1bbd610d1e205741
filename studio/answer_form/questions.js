// The questions of a screen as rows that digits answer, whatever kind of task they come from. All words are set as text,
// never as markup. A row is active when it has the focus; its digits count.

function questionsOf(s) { return s.data.questions ?? []; }

function make(tag, className, words) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (words !== undefined) element.textContent = words;
  return element;
}

function button(words, onclick, className = "") {
  const element = make("button", className, words);
  element.type = "button";
  element.onclick = onclick;
  return element;
}

function buildQuestions(s) {
  s.rows = questionsOf(s).map((question, index) => buildRow(s, question, index));
  s.questions.replaceChildren(...groupRows(s));
  if (questionsOf(s).some(question => question.part === "rank")) s.questions.append(buildLadder(s));
  s.active = 0;
  showPicks(s);
}

// Rows of one answer or turn stand under its name; those of two answers side by side.
function groupRows(s) {
  const blocks = [];
  questionsOf(s).forEach((question, index) => {
    const name = `${question.part}:${question.group}`;
    if (blocks.at(-1)?.dataset.name !== name) {
      const block = make("div", question.group ? "group titled" : "group");
      block.dataset.name = name;
      if (question.group) block.append(make("div", "group-title", question.group));
      blocks.push(block);
    }
    blocks.at(-1).append(s.rows[index]);
  });
  return blocks;
}

function buildRow(s, question, index) {
  const row = make("div", question.type === "scale" ? "scale" : `row ${question.type}`);
  row.tabIndex = question.type === "text" ? -1 : 0;
  row.setAttribute("role", question.type === "multi" || question.type === "span" ? "group" : question.type === "text" ? "none" : "radiogroup");
  row.setAttribute("aria-label", question.group ? `${question.group}, ${question.label}` : question.label);
  row.title = question.help ?? "";
  row.addEventListener("focusin", () => activate(s, index));
  if (question.type === "scale") row.append(...question.options.map(option => buildOption(s, question, index, option)));
  else if (question.type === "span") row.append(...buildMarking(s, question, index));
  else row.append(make("span", "name", question.label), ...buildAnswer(s, question, index));
  return row;
}

function activate(s, index) {
  if (s.active !== index) s.shownTurn = null;
  s.active = index;
  s.rows.forEach((row, position) => row.classList.toggle("active", position === index && s.rows.length > 1));
  showTurn(s, questionsOf(s)[index]);
}

// Of a long conversation the turn that is being rated comes into sight and is marked.
function showTurn(s, question) {
  const cards = document.querySelectorAll('[class*="st-key-turn_"]');
  for (const card of cards) card.classList.toggle("pp-turn-here", question?.part === "turns" && card.classList.contains(`st-key-turn_${question.about}`));
  if (question?.part !== "turns" || s.shownTurn === question.about) return;
  s.shownTurn = question.about;
  document.querySelector(`.st-key-turn_${question.about}`)?.scrollIntoView({ block: "nearest" });
}

function focusQuestion(s, index) {
  const row = s.rows[index];
  if (row) (row.querySelector("input") ?? row.querySelector(".marking") ?? row).focus({ preventScroll: s.rows.length < 8 });
}

function pick(s, index, value) {
  if (s.isLocked) return;
  s.picks[questionsOf(s)[index].id] = value;
  s.rows[index].classList.remove("missing");
  showPicks(s);
  showStatus(s, "");
  keepDraft(s);
}

function showPicks(s) {
  questionsOf(s).forEach((question, index) => {
    const value = s.picks[question.id];
    if (question.type === "span") { showMarks(s, question, index); return; }
    for (const element of s.rows[index].querySelectorAll(".option")) {
      const isOn = Array.isArray(value) ? value.some(one => String(one) === element.dataset.value) : value !== undefined && element.dataset.value === String(value);
      element.setAttribute("aria-checked", String(isOn));
    }
    const input = s.rows[index].querySelector("input");
    if (input && input.value !== (value ?? "")) input.value = value ?? "";
    const picked = s.rows[index].querySelector(".picked");
    const option = question.options.find(candidate => candidate.value === value);
    if (picked) picked.textContent = question.type === "likert" && option ? option.label : "";
  });
  showLadder(s);
}

// A digit answers the active question and moves on to the next; where several labels can be picked it stays.
function pressDigit(s, key) {
  const index = s.active;
  const question = questionsOf(s)[index];
  if (question?.type === "span") return markWith(s, question, index, key);
  const option = question?.options.find(candidate => candidate.key === key);
  if (!option) return false;
  choose(s, index, option.value);
  if (question.type !== "multi") moveOn(s, index);
  return true;
}

function moveOn(s, index) {
  const questions = questionsOf(s);
  let next = index + 1;
  // Words that may be left out are not in the way of the next digit.
  while (next < questions.length && questions[next].type === "text" && questions[next].is_optional) next += 1;
  focusQuestion(s, next < questions.length ? next : index);
}

function moveQuestion(s, step) {
  focusQuestion(s, Math.min(Math.max(s.active + step, 0), s.rows.length - 1));
}

function movePick(s, step) {
  const question = questionsOf(s)[s.active];
  if (question.type === "multi") { moveChip(s, s.active, step); return; }
  const now = question.options.findIndex(option => option.value === s.picks[question.id]);
  const last = question.options.length - 1;
  const next = now < 0 ? (step > 0 ? 0 : last) : Math.min(Math.max(now + step, 0), last);
  pick(s, s.active, question.options[next].value);
}
