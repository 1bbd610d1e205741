// The sheet that lists the keys of this very screen.

const KEYS_OF = {
  compare: [["1 … 7", "how much better, from A to B"], ["8", "both bad"], ["9", "cannot judge"]],
  rate: [["digits", "answer the marked question and go to the next"], ["↑ ↓ Tab", "move between questions"], ["← →", "change the answer"]],
  rank: [["digits", "the place of the marked answer; the same twice is a tie"], ["drag", "or move its chip to its place"]],
  tag: [["digits", "pick a label"], ["← → Space", "walk to a label and pick it"]],
  span: [["← → ↑ ↓", "walk over the words; with Shift select several"], ["digits", "mark them"], ["0", "nothing is wrong"], ["⌫", "take a mark away"]],
  turns: [["digits", "rate the marked turn and go on"], ["↑ ↓ Tab", "move between turns"]],
  edit: [["e", "correct an answer; again for the next one"]],
  write: [["i", "change the request too"]],
};

function buildKeys(s) {
  const parts = s.data.parts ?? [];
  const own = parts.flatMap(part => (part === "edit" && parts.length === 1 ? [] : KEYS_OF[part] ?? []));
  const seen = [...document.querySelectorAll('[class*="st-key-card_answer_"]')].length;
  const rows = [...own, ["t", "write"], ["Esc", "leave the text"], ["Ctrl ↵", "submit and next"], ["s", "skip with a reason"],
                ["f", "flag it for the curator"], ["w", "a word to the curator"], ["u", "undo, again and again"], ["y", "do it again"],
                ...(s.data.suggestion ? [["a", "take the suggestion over"]] : []), ...(seen > 1 ? [["d", "show differences"], ["v", "side by side or stacked"]] : []),
                ["m", "plain or rendered"], ["x", "fold or unfold long texts"], ["h", "my history"], ["?", "show or hide this"]];
  s.keys.replaceChildren(...rows.map(([key, words]) => {
    const pair = make("div"), term = make("dt");
    term.append(make("kbd", "", key));
    pair.append(term, make("dd", "", words));
    return pair;
  }));
}

function toggleKeys(s, isShown = s.overlay.hidden) {
  if (isShown) buildKeys(s);
  s.overlay.hidden = !isShown;
  if (isShown) s.overlay.focus(); else focusQuestion(s, s.active);
}

// How the texts lie on the screen is a matter of taste and kept in this browser; the page's style sheet reads it.
function toggleLook(name) {
  const root = document.documentElement;
  const isOn = root.toggleAttribute(`data-pp-${name}`);
  writeStored(`pitchpipe:look:${name}`, isOn);
}

function restoreLook() {
  for (const name of ["stacked", "unfolded"]) document.documentElement.toggleAttribute(`data-pp-${name}`, readStored(`pitchpipe:look:${name}`) === true);
}
