// What is picked and written, as the store takes it: in the order of the screen. And the inverse, for a draft, a
// reopened judgement or a suggestion. The shapes stand in store/records.py.

function valueOf(s) {
  if (s.data.kind !== "screen") return valueOfPart(s, s.data.kind);
  const parts = (s.data.parts ?? []).map(part => [part, valueOfPart(s, part)]);
  return Object.fromEntries(parts.filter(([, value]) => isAnswered(value)));
}

function valueOfPart(s, part) {
  const rows = questionsOf(s).filter(question => question.part === part);
  if (part === "compare") return valueOfPick(s.picks[rows[0]?.id]);
  if (part === "rate" && rows.some(row => row.about !== null)) {
    return Array.from({ length: s.data.answers }, (_, about) => scoresOf(s, rows.filter(row => row.about === about)));
  }
  if (part === "rate") return scoresOf(s, rows);
  if (part === "rank") return { ranks: rows.map(row => s.picks[row.id] ?? null) };
  if (part === "span") return { spans: s.picks[rows[0]?.id] };
  if (part === "turns") return valueOfTurns(s, rows);
  if (part === "tag" && rows.length) return { labels: [s.picks[rows[0].id] ?? []].flat() };
  return valueOfText(s, part);
}

function scoresOf(s, rows) {
  return Object.fromEntries(rows.filter(row => isPicked(s, row)).map(row => [row.name, wellFormedValue(s.picks[row.id])]));
}

function valueOfTurns(s, rows) {
  const turns = {};
  for (const row of rows.filter(row => isPicked(s, row))) (turns[row.about] ??= {})[row.name] = wellFormedValue(s.picks[row.id]);
  return { turns };
}

function wellFormedValue(value) { return typeof value === "string" ? wellFormed(value) : value; }

function valueOfPick(picked) {
  if (picked === undefined) return {};
  if (typeof picked === "string") return { verdict: picked, strength: null };
  return { verdict: picked < 0 ? "first" : picked > 0 ? "second" : "tie", strength: picked };
}

function isAnswered(value) {
  if (Array.isArray(value)) return value.some(isAnswered);
  if (!value || typeof value !== "object") return false;
  if ("ranks" in value) return value.ranks.some(rank => rank !== null);
  if ("labels" in value) return value.labels.length > 0;
  return Object.values(value).some(one => one !== undefined && one !== null);
}

function isPicked(s, question) {
  const value = s.picks[question.id];
  return typeof value === "string" ? value.trim() !== "" : value !== undefined;
}

// The index of the first question that has to be answered and is not, or -1.
function firstMissing(s) {
  const questions = questionsOf(s);
  const groupOf = question => `${question.part}:${question.about}`;
  const begun = new Set(questions.filter(question => isPicked(s, question)).map(groupOf));
  const missing = questions.findIndex(question => !isPicked(s, question) && !question.is_optional
    && (!question.is_group_optional || begun.has(groupOf(question)) || (question.part === "rank" && questions.some(other => other.part === "rank" && isPicked(s, other)))));
  if (missing >= 0) return missing;
  return s.data.kind === "turns" && begun.size === 0 ? 0 : -1;
}

function explainMissing(s, index) {
  const question = questionsOf(s)[index];
  if (question.type === "scale") return "Pick one of the nine first: 1 to 9.";
  if (question.type === "span") return "Mark what is wrong, or press 0 if nothing is.";
  if (s.data.kind === "turns" && !questionsOf(s).some(other => isPicked(s, other))) return "Rate one turn at least.";
  return `"${question.group ? `${question.group}, ` : ""}${question.label}" has no answer yet.`;
}

// Places such as 1, 3 leave the second place empty; after a tie for first (1, 1, 3) that is how people count.
function explainGap(s) {
  const ranks = questionsOf(s).filter(question => question.part === "rank").map(question => s.picks[question.id]).filter(rank => rank !== undefined).sort((a, b) => a - b);
  const dense = rank => new Set(ranks.filter(other => other < rank)).size;
  const counted = rank => ranks.filter(other => other < rank).length;
  const wrong = ranks.find(rank => rank !== dense(rank)) !== undefined && ranks.find(rank => rank !== counted(rank)) !== undefined;
  if (!wrong) return "";
  const free = Array.from({ length: ranks.length }, (_, rank) => rank).find(rank => !ranks.includes(rank));
  return `Nobody has place ${free + 1}. Close the gap: each place from 1 on, or the same place twice for a tie.`;
}

function picksOf(s, value) {
  const picks = {};
  if (!value) return picks;
  for (const question of questionsOf(s)) {
    const found = pickOf(question, s.data.kind === "screen" ? value[question.part] : value);
    if (found !== undefined && found !== null) picks[question.id] = found;
  }
  return picks;
}

function pickOf(question, value) {
  if (value === undefined || value === null) return undefined;
  if (question.part === "compare") {
    const picked = value.verdict === "tie" ? 0 : value.strength ?? { first: -2, second: 2 }[value.verdict] ?? value.verdict;
    return known(question, picked);
  }
  if (question.part === "rank") return known(question, value.ranks?.[question.about]);
  if (question.part === "span") return value.spans;
  if (question.part === "tag") {
    const labels = (value.labels ?? []).filter(label => known(question, label) !== undefined);
    return question.type === "multi" ? (labels.length ? labels : undefined) : labels[0];
  }
  const scores = question.part === "turns" ? value.turns?.[question.about] : Array.isArray(value) ? value[question.about] : value;
  return question.type === "text" ? scores?.[question.name] : known(question, scores?.[question.name]);
}

// A draft may be older than the rubric: an option that is gone is not picked.
function known(question, value) {
  return question.options.some(option => option.value === value) ? value : undefined;
}
