// A ranking as a ladder: one column a place, the answers as chips that can be dragged from place to place. The rows above
// it take digits; both show the same picks.

function buildLadder(s) {
  s.ladder = make("div", "ladder");
  s.ladder.setAttribute("aria-hidden", "true");  // the rows above say the same to a screen reader
  return s.ladder;
}

function showLadder(s) {
  const rows = questionsOf(s).map((question, index) => ({ question, index })).filter(row => row.question.part === "rank");
  if (!rows.length || !s.ladder) return;
  const columns = [undefined, ...rows.map((_, place) => place)].map(place => {
    const column = make("div", "rung");
    column.dataset.place = place ?? "";
    column.append(make("span", "soft", place === undefined ? "to be placed" : `${place + 1}.`));
    const here = rows.filter(row => s.picks[row.question.id] === place);
    column.append(...here.map(row => buildChip(s, row)));
    column.classList.toggle("tie", place !== undefined && here.length > 1);
    column.hidden = place === undefined && here.length === 0;
    return column;
  });
  s.ladder.replaceChildren(...columns);
}

function buildChip(s, { question, index }) {
  const chip = make("span", "chip", question.label.replace("Answer ", ""));
  chip.title = `Drag ${question.label} to its place`;
  // Pointer events serve the mouse and the finger alike.
  chip.onpointerdown = event => {
    if (s.isLocked) return;
    event.preventDefault();
    chip.setPointerCapture(event.pointerId);
    chip.classList.add("held");
    chip.onpointermove = move => overRung(s, move);
    chip.onpointerup = up => { const rung = overRung(s, up); if (rung) pick(s, index, rung.dataset.place === "" ? undefined : Number(rung.dataset.place)); else showLadder(s); };
    chip.onpointercancel = () => showLadder(s);
  };
  return chip;
}

function overRung(s, event) {
  const rungs = [...s.ladder.children].filter(rung => !rung.hidden);
  const found = rungs.find(rung => { const box = rung.getBoundingClientRect(); return event.clientX >= box.left && event.clientX < box.right && event.clientY > box.top - 40 && event.clientY < box.bottom + 40; });
  rungs.forEach(rung => rung.classList.toggle("over", rung === found));
  return found;
}
