// Marking stretches of an answer: words are walked with the arrow keys or swept with the pointer, a digit names what is
// wrong with them. Places are counted in characters (code points), as the store counts, not in JavaScript's code units.

function buildMarking(s, question, index) {
  const box = make("div", "marking");
  box.tabIndex = 0;
  box.setAttribute("role", "textbox");
  box.setAttribute("aria-readonly", "true");
  box.setAttribute("aria-multiline", "true");
  box.setAttribute("aria-label", "The answer. Arrow keys walk over its words, with Shift they select, a digit marks.");
  s.tokens = cutWords(s.data.span_text ?? "");
  s.stops = s.tokens.map((token, place) => (/\S/.test(token.words) ? place : -1)).filter(place => place >= 0);
  s.mark = { anchor: 0, head: 0 };
  box.append(...s.tokens.map((token, place) => {
    const element = make("span", "word", token.words);
    element.dataset.place = place;
    return element;
  }));
  box.onpointerdown = event => sweep(s, index, event, true);
  box.onpointermove = event => { if (event.buttons) sweep(s, index, event, false); };
  const palette = make("div", "options");
  palette.append(...question.options.map(option => buildOption(s, { ...question, type: "choice" }, index, option)));
  [...palette.children].forEach((element, place) => { element.dataset.color = place % 6; element.onclick = () => { markWith(s, question, index, question.options[place].key); box.focus({ preventScroll: true }); }; });
  const none = button("", () => { markWith(s, question, index, "0"); box.focus({ preventScroll: true }); }, "option none");
  none.tabIndex = -1;
  none.append(make("kbd", "", "0"), make("span", "", "nothing is wrong"));
  palette.append(none);
  return [box, palette, make("ul", "marks")];
}

// Words as a reader of the language sees them; each with its place in characters.
function cutWords(text) {
  const pieces = Intl.Segmenter ? [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)].map(piece => piece.segment) : text.split(/(\s+)/);
  let start = 0;
  return pieces.map(words => {
    const token = { words, start, end: start + [...words].length };
    start = token.end;
    return token;
  });
}

function sweep(s, index, event, isStart) {
  const place = Number(event.composedPath()[0]?.dataset?.place ?? NaN);
  if (Number.isNaN(place)) return;
  const stop = s.stops.reduce((best, candidate, position) => (Math.abs(candidate - place) < Math.abs(s.stops[best] - place) ? position : best), 0);
  s.mark = isStart && !event.shiftKey ? { anchor: stop, head: stop } : { ...s.mark, head: stop };
  showMarks(s, questionsOf(s)[index], index);
}

// Whether a key walked over the words or took a mark away.
function pressInMarking(s, event) {
  const index = s.active;
  const question = questionsOf(s)[index];
  const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9, ArrowUp: -8, ArrowDown: 8 };
  if (event.key in steps) {
    const head = Math.min(Math.max(s.mark.head + steps[event.key], 0), s.stops.length - 1);
    s.mark = { anchor: event.shiftKey ? s.mark.anchor : head, head };
    showMarks(s, question, index);
    s.rows[index].querySelector(".word.head")?.scrollIntoView({ block: "nearest" });
    return true;
  }
  if (event.key !== "Backspace" && event.key !== "Delete") return false;
  const { start, end } = selected(s);
  const spans = (s.picks[question.id] ?? []).filter(span => span.end <= start || span.start >= end);
  pick(s, index, spans.length ? spans : undefined);
  return true;
}

function selected(s) {
  const places = [s.stops[s.mark.anchor], s.stops[s.mark.head]];
  return { start: s.tokens[Math.min(...places)]?.start ?? 0, end: s.tokens[Math.max(...places)]?.end ?? 0 };
}

function markWith(s, question, index, key) {
  if (key === "0") { pick(s, index, []); return true; }
  const option = question.options.find(candidate => candidate.key === key);
  if (!option || !s.tokens.length) return false;
  const span = { ...selected(s), label: option.value };
  const others = (s.picks[question.id] ?? []).filter(other => other.start !== span.start || other.end !== span.end || other.label !== span.label);
  pick(s, index, [...others, span].sort((one, two) => one.start - two.start || one.end - two.end));
  return true;
}

function showMarks(s, question, index) {
  const spans = s.picks[question.id];
  const { start, end } = selected(s);
  const colorOf = label => question.options.findIndex(option => option.value === label) % 6;
  for (const element of s.rows[index].querySelectorAll(".word")) {
    const token = s.tokens[element.dataset.place];
    const span = spans?.find(one => token.start < one.end && token.end > one.start);
    element.classList.toggle("selected", token.start >= start && token.end <= end);
    element.classList.toggle("head", Number(element.dataset.place) === s.stops[s.mark.head]);
    if (span) element.dataset.color = colorOf(span.label); else delete element.dataset.color;
  }
  const characters = [...(s.data.span_text ?? "")];
  s.rows[index].querySelector(".none").setAttribute("aria-checked", String(spans !== undefined && spans.length === 0));
  s.rows[index].querySelector(".marks").replaceChildren(...(spans ?? []).map(span => {
    const item = make("li", "");
    const color = make("span", "swatch", span.label);
    color.dataset.color = colorOf(span.label);
    item.append(color, make("span", "", characters.slice(span.start, span.end).join("")),
                button("remove", () => { const left = spans.filter(one => one !== span); pick(s, index, left.length ? left : undefined); }));
    return item;
  }));
}
