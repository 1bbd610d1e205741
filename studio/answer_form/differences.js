// Differences word by word: between two answers, shown on demand in their own cards; and between an answer and its
// correction. Longest common subsequence, as `diff` does it; where both texts are very long the middle counts as changed.

const LARGEST_TABLE = 4e6;

function wordsOf(text) { return text.match(/\s+|[\p{L}\p{N}_'’-]+|[^\s]/gu) ?? []; }

// Which words of a and of b are not in the other, as flags.
function diffWords(a, b) {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1;
  const middleA = a.slice(head, a.length - tail), middleB = b.slice(head, b.length - tail);
  const [ownA, ownB] = diffMiddle(middleA, middleB);
  const pad = (flags, length) => [...Array(head).fill(false), ...flags, ...Array(length - head - flags.length).fill(false)];
  return [pad(ownA, a.length), pad(ownB, b.length)];
}

function diffMiddle(a, b) {
  const own = [a.map(() => true), b.map(() => true)];
  if (a.length * b.length > LARGEST_TABLE) return own;
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = a[i] === b[j] ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) { own[0][i] = own[1][j] = false; i += 1; j += 1; }
    else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i += 1;
    else j += 1;
  }
  return own;
}

// Shows or hides what tells the two answers apart. The cards are Streamlit's; the browser's highlight registry paints on
// them without touching them.
function toggleDifferences(s) {
  if (!globalThis.CSS?.highlights) { showStatus(s, "This browser cannot show differences.", true); return; }
  if (s.hasDifferences) { hideDifferences(s); return; }
  const cards = [...document.querySelectorAll('[class*="st-key-card_answer_"]')].slice(0, 2);
  if (cards.length < 2) { showStatus(s, "There are no two answers to tell apart."); return; }
  const texts = cards.map(readCard);
  const words = texts.map(text => wordsOf(text.words));
  const ranges = diffWords(...words).flatMap((flags, side) => rangesOf(texts[side], words[side], flags));
  CSS.highlights.set("pp-differs", new Highlight(...ranges));
  s.hasDifferences = true;
  showStatus(s, ranges.length ? "Marked is what the other answer has not." : "Word for word the same.");
}

function hideDifferences(s) {
  globalThis.CSS?.highlights?.delete("pp-differs");
  if (s.hasDifferences) showStatus(s, "");
  s.hasDifferences = false;
}

function readCard(card) {
  const body = card.querySelector('[data-testid="stText"], [data-testid="stMarkdown"]') ?? card;
  const walker = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const nodes = [];
  let words = "";
  while (walker.nextNode()) { nodes.push({ node: walker.currentNode, start: words.length }); words += walker.currentNode.data; }
  return { nodes, words };
}

function rangesOf(text, words, flags) {
  const ranges = [];
  let at = 0;
  words.forEach((word, place) => {
    if (flags[place] && /\S/.test(word)) ranges.push(rangeAt(text.nodes, at, at + word.length));
    at += word.length;
  });
  return ranges.filter(Boolean);
}

function rangeAt(nodes, start, end) {
  const holder = at => nodes.findLast(entry => entry.start <= at);
  const first = holder(start), last = holder(end - 1);
  if (!first || !last) return null;
  return new StaticRange({ startContainer: first.node, startOffset: start - first.start, endContainer: last.node, endOffset: end - last.start });
}

// A correction beside its original, as one line of kept, removed and added words.
function buildChanges(original, corrected) {
  const a = wordsOf(original), b = wordsOf(corrected);
  const [ownA, ownB] = diffWords(a, b);
  const pieces = [];
  const push = (tag, word) => { if (pieces.at(-1)?.tag === tag) pieces.at(-1).words += word; else pieces.push({ tag, words: word }); };
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    if (i < a.length && ownA[i]) { push("del", a[i]); i += 1; }
    else if (j < b.length && ownB[j]) { push("ins", b[j]); j += 1; }
    else { push("span", b[j] ?? a[i]); i += 1; j += 1; }
  }
  return pieces.map(piece => make(piece.tag, "", piece.words));
}
