// The table of the chapters: a line for each, what has been done of it.

const none = '-';
const ratio = (done, total) => (total > 0 ? `${done}/${total}` : none);

const styles = [[/^passed/, 'green'], [/^failed/, 'red'], [/^(stale|skipped)/, 'yellow']];

// The state of the tests in a word or two: which of them failed, ./learn test says.
function describeTests(state, isNarrow) {
  if (state.startsWith('not ')) return isNarrow ? none : state;
  if (state.startsWith('stale')) return isNarrow ? 'stale' : state;
  return isNarrow ? state.split(' ')[0] : state;
}

function makeColumns({ isNarrow, isFull }) {
  const columns = [
    { title: 'chapter', of: ({ chapter }) => chapter },
    { title: 'tests', of: ({ state }) => describeTests(state, isNarrow), styleOf: ({ state }) => styles.find(([form]) => form.test(state))?.[1] ?? 'faint' },
    { title: isNarrow ? 'pred.' : 'predict', of: ({ predict }) => ratio(predict.right, predict.asked) },
    { title: 'quiz', of: ({ quiz }) => (quiz.asked > 0 ? ratio(quiz.right, quiz.total) : none) },
    { title: 'bugs', of: ({ bugs }) => ratio(bugs.finished, bugs.total) },
  ];
  if (!isFull) return columns;
  return [
    ...columns,
    { title: 'exercises', of: ({ exercises }) => ratio(exercises.finished, exercises.total) },
    { title: 'due', of: ({ due }) => String([...due.values()].reduce((sum, number) => sum + number, 0)) },
  ];
}

/**
 * The table as lines. `width` is that of the terminal, Infinity where there is none; with fewer than 60 columns the words
 * are shorter. `isFull` adds exercises and what is due, `hasIdeas` each chapter's idea, as far as there is room.
 */
export function formatTable(chapters, { width = Infinity, isFull = false, hasIdeas = false, paint = (_, text) => text } = {}) {
  const isNarrow = width < 60;
  const columns = makeColumns({ isNarrow, isFull: isFull && width >= 72 });
  const gap = isNarrow ? ' ' : '  ';
  const widths = columns.map(({ title, of }) => Math.max(title.length, ...chapters.map((chapter) => of(chapter).length)));
  const join = (cells) => cells.join(gap).trimEnd();
  const used = widths.reduce((sum, each) => sum + each + gap.length, 0);
  const head = join(columns.map(({ title }, index) => title.padEnd(widths[index])));
  return [head, ...chapters.map((chapter) => {
    const cells = columns.map(({ of, styleOf }, index) => {
      const text = of(chapter).padEnd(widths[index]);
      return styleOf ? paint(styleOf(chapter), text) : text;
    });
    return join([...cells, ...(hasIdeas ? [cut(chapter.idea, width - used)] : [])]);
  })];
}

// Less than a few words of an idea say nothing.
function cut(text, room) {
  if (text.length <= room) return text;
  if (room < 24) return '';
  return `${text.slice(0, room - 1).replace(/\s+\S*$/, '')}…`;
}
