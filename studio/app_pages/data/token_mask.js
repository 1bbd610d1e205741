// Draws tokens as text nodes: whatever a token says, it is shown and never run.
const WORDS = { context: "read, not learned", loss: "learned", cut: "cut off" };

function draw(place, tokens) {
  const pieces = tokens.map(([text, id, use]) => {
    const piece = document.createElement("span");
    piece.className = use;
    piece.title = `${JSON.stringify(text)} · id ${id} · ${WORDS[use]}`;
    piece.textContent = text.replaceAll("\n", "↵\n").replaceAll("\t", "→\t");
    return piece;
  });
  place.replaceChildren(...pieces);
}

function explain(place, tokens) {
  const pieces = Object.keys(WORDS).map((use) => {
    const count = tokens.filter((token) => token[2] === use).length;
    const piece = document.createElement("span");
    piece.className = use;
    piece.textContent = `${WORDS[use]}: ${count}`;
    return count ? piece : "";
  });
  place.replaceChildren(...pieces);
}

export default ({ parentElement, data }) => {
  draw(parentElement.querySelector(".tokens"), data.tokens);
  explain(parentElement.querySelector(".legend"), data.tokens);
};
