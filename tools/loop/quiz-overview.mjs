// How the questions of the chapters stand: the table of ./learn quiz --overview.

import { findStanding } from './questions.mjs';

/** {total, asked, right, due} of some questions: how many there are, were asked, were right at the first try the last time, and are due now. */
export function countStandings(progress, questions, now) {
  const standings = questions.map((question) => findStanding(progress, question));
  return {
    total: questions.length,
    asked: standings.filter(({ isAsked }) => isAsked).length,
    right: standings.filter(({ isRight }) => isRight).length,
    due: standings.filter(({ due }) => due <= now).length,
  };
}

/** The table as text, 40 columns or fewer: `rows` are {chapter, total, asked, right, due}. */
export function formatStandings(rows) {
  const width = Math.max(...rows.map(({ chapter }) => chapter.length), 'chapter'.length);
  const format = (name, asked, right, due) => `${name.padEnd(width)}  ${asked.padStart(5)}  ${right.padStart(5)}  ${due.padStart(3)}`;
  return [
    format('chapter', 'asked', 'right', 'due'),
    ...rows.map(({ chapter, total, asked, right, due }) => format(chapter, `${asked}/${total}`, String(right), String(due))),
  ].join('\n');
}
