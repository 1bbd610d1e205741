// Active time: it stops when nobody moves for a minute or the page is out of sight, and a reload carries it on. After a
// long stretch of work a break is proposed.

const IDLE_AFTER_MS = 60000;
const BREAK_MS = 5 * 60000;

function startClock(s, secondsBefore) {
  Object.assign(s, { seconds: secondsBefore, tickedAt: performance.now(), inputAt: performance.now() });
}

function noteInput(s) {
  addActiveTime(s);
  s.inputAt = performance.now();
}

function isIdle(s) { return document.hidden || performance.now() - s.inputAt > IDLE_AFTER_MS; }

function addActiveTime(s) {
  const now = performance.now();
  if (!isIdle(s)) s.seconds += (now - s.tickedAt) / 1000;
  s.tickedAt = now;
}

function secondsSpent(s) {
  addActiveTime(s);
  return s.seconds;
}

function tick(s) {
  const seconds = Math.floor(secondsSpent(s));
  const clock = document.querySelector(".pp-seconds");  // drawn by the page above the cards; shows our clock
  const words = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (clock && s.task) clock.textContent = isIdle(s) ? `${words}, paused` : words;
  showKept(s);
  if (!isIdle(s)) noteWork(s);
}

function workKey(s) { return `pitchpipe:work:${s.data.annotator}`; }

// Of this tab alone, so that a sign-out elsewhere leaves nothing behind.
function readWork(s) {
  try { return JSON.parse(sessionStorage.getItem(workKey(s))); } catch { return null; }
}

function writeWork(s, work) {
  try { sessionStorage.setItem(workKey(s), JSON.stringify(work)); } catch { /* forbidden storage: no break is proposed */ }
}

function noteWork(s) {
  const now = Date.now();
  const before = readWork(s);
  const work = !before || now - before.last > BREAK_MS ? { since: now, last: now } : { ...before, last: now };
  writeWork(s, work);
  const minutes = Math.floor((now - work.since) / 60000);
  const isDue = s.data.break_after_minutes > 0 && minutes >= s.data.break_after_minutes;
  s.breakNote.hidden = !isDue;
  const words = `You have judged for ${minutes} minutes without a break. Tired eyes pick the first answer: five minutes away are well spent. (Esc: not now)`;
  if (isDue && s.breakNote.textContent !== words) s.breakNote.textContent = words;
}

function putOffBreak(s) {
  if (s.breakNote.hidden) return;
  writeWork(s, { since: Date.now(), last: Date.now() });
  s.breakNote.hidden = true;
}
