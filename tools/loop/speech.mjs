// Small parts of sentences.

/** 1 bug, 2 bugs. */
export const count = (number, what) => `${number} ${what}${number === 1 ? '' : 's'}`;

/** The day of a time in ms since 1970, where the learner is: 2026-01-31. */
export function formatDay(time) {
  const date = new Date(time);
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((number) => String(number).padStart(2, '0')).join('-');
}
