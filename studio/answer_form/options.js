// The ways to answer a question: boxes of a scale, digits, names, labels, words.

function buildAnswer(s, question, index) {
  if (question.type === "text") return [buildWords(s, question, index)];
  const group = make("span", "options");
  group.append(...question.options.map(option => buildOption(s, question, index, option)));
  return question.type === "likert" ? [group, make("span", "picked")] : [group];
}

function buildOption(s, question, index, option) {
  const isScale = question.type === "scale";
  const element = button("", () => { activate(s, index); choose(s, index, option.value); s.rows[index].focus({ preventScroll: true }); });
  element.className = isScale && typeof option.value === "string" ? "option way-out" : "option";
  element.tabIndex = -1;
  element.dataset.value = option.value;
  element.setAttribute("role", question.type === "multi" ? "checkbox" : "radio");
  element.setAttribute("aria-label", option.label);
  if (question.type === "likert" || question.type === "place") {
    element.textContent = option.key;
    element.title = option.label;
  } else {
    if (option.key) element.append(make("kbd", "", option.key));
    element.append(make("span", "", option.label));
  }
  return element;
}

function buildWords(s, question, index) {
  const input = make("input", "line");
  input.maxLength = 2000;
  input.setAttribute("aria-label", question.label);
  input.placeholder = question.is_optional ? "may be left empty" : "";
  input.oninput = () => {
    s.picks[question.id] = input.value || undefined;
    s.rows[index].classList.remove("missing");
    keepDraft(s);
  };
  return input;
}

function choose(s, index, value) {
  const question = questionsOf(s)[index];
  if (question.type !== "multi") { pick(s, index, value); return; }
  const now = s.picks[question.id] ?? [];
  const next = now.includes(value) ? now.filter(one => one !== value) : [...now, value];
  pick(s, index, next.length ? next : undefined);
}

// Labels beyond the tenth have no digit: arrows walk over them and the space bar picks.
function moveChip(s, index, step) {
  const chips = [...s.rows[index].querySelectorAll(".option")];
  const now = chips.findIndex(chip => chip.classList.contains("walked"));
  const next = chips[Math.min(Math.max(now + step, 0), chips.length - 1)];
  chips.forEach(chip => chip.classList.toggle("walked", chip === next));
  next.scrollIntoView({ block: "nearest" });
}

function pressSpace(s) {
  const question = questionsOf(s)[s.active];
  const chip = s.rows[s.active]?.querySelector(".option.walked");
  if (question?.type !== "multi" || !chip) return false;
  choose(s, s.active, question.options.find(option => String(option.value) === chip.dataset.value).value);
  return true;
}
