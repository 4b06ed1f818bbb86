// Where a text says the number of a chapter. `tools/insert-chapter` gives each of these places its new number, and
// `docs check` looks whether the number is right; so a number that stands in none of these forms is nobody's chapter:
//
//   03-fork, in any path or command        chapter 03, chapters 03, 05 to 07 and 09
//   [03](03-fork.md), [03 Fork](...)       03's, 03 fork
//   ./learn trace 3, tools/carry 3         # 03 Fork: the title of a chapter's text

const gap = String.raw`\s+(?:(?://+[/!<]*|#+|>)\s*)?`; // a line may end here, in a comment or a quotation, too
const link = String.raw`\[[^\]]*\]\([^)]*\)`;
const commands = 'run|test|diff|trace|capture|watch|client|predict|quiz|practice|ask|bench|fleet';
const mode = String.raw`(?:\s+(?:explain|socratic|quiz|diagnose|practice))?`; // of ./learn ask
const option = String.raw`(?:\s+--?[a-z][\w-]*(?:=\S+|\s+[a-z][\w./~-]*)?)*?`;

const forms = {
  chapter: new RegExp(String.raw`(?<!UNP ?)(?<!UNP\n)\b[Cc]hapter(s?)${gap}`, 'g'),
  listItem: new RegExp(String.raw`(?:(\d\d)(?![\w-])(?!\.\d)(?! of \[?UNP)|${link})(?:'s)?`, 'y'),
  listGap: new RegExp(String.raw`(?:,\s*(?:and\s+|or\s+)?|${gap}(?:and|or|to|beside|with|and${gap}with)${gap})`, 'y'),
  possessive: /(?<![\w.,-])(\d\d)(?='s\b)/g,
  bare: /(?<![\w.:,/$%#&+"'=-])(0\d)(?![\w:/%-])(?![.,]\d)/g,
  linkText: /\[([^\]]*)\]\(\s*(?:[^)\s]*\/)?(\d\d)-[a-z0-9-]+\.md[^)]*\)/g,
  learn: new RegExp(String.raw`(?:\./learn(?: -v)? (?:${commands})|tools/carry|tools/docs/docs(?: --?[\w-]+)* (?:sync|check)|\x60(?:${commands}))${mode}${option}((?:[ \t]+\d{1,2})+)(?![\w.-])`, 'g'),
  // Chapters one after the other in a command: for n in 9 10; do ./learn trace $n; done, and diff <(trace 9) <(trace 10).
  loop: /\bfor \w+ in((?: \d{1,2})+)(?=;[^\n]*\.\/learn )/g,
  calls: /<\(trace (\d{1,2})(?=\))/g,
  // What such a command prints.
  counted: /^chapter (\d{1,2})(?=, one echo)/gm,
  title: /^# (\d\d)(?= )/g,
};

/**
 * The numbers of chapters in a text: [{start, end, number, form}], by their places, `number` as it is written there.
 * `names` are the chapters' full names; a Markdown text has forms that code has not.
 */
export function findMentions(text, names, { isMarkdown = true } = {}) {
  const found = new Map();
  const add = (start, number, form) => {
    if (!found.has(start)) found.set(start, { start, end: start + number.length, number, form });
  };
  for (const match of text.matchAll(formOfNames(names))) add(match.index, match[1], 'name');
  // Before the next form, which has two digits: this one has as many as it takes.
  for (const match of text.matchAll(forms.counted)) add(match.index + 'chapter '.length, match[1], 'command');
  for (const match of text.matchAll(forms.chapter)) addList(text, match, add);
  if (isMarkdown) addFormsOfProse(text, names, add);
  return [...found.values()].sort((a, b) => a.start - b.start);
}

function formOfNames(names) {
  return new RegExp(String.raw`(?<![\w-])(\d\d)(?=-(?:${names.map((name) => name.slice(3)).sort((a, b) => b.length - a.length).join('|')})(?![a-z0-9]))`, 'g');
}

// "chapter 03", or "chapters 03, [05](05-prefork.md) and 07".
function addList(text, { 0: word, 1: plural, index }, add) {
  let place = index + word.length;
  for (;;) {
    const item = matchAt(forms.listItem, text, place);
    if (!item) return;
    if (item[1]) add(place, item[1], 'chapter');
    place += item[0].length;
    const between = plural ? matchAt(forms.listGap, text, place) : undefined;
    if (!between) return;
    place += between[0].length;
  }
}

function matchAt(form, text, place) {
  form.lastIndex = place;
  return form.exec(text);
}

function addFormsOfProse(text, names, add) {
  for (const match of text.matchAll(forms.learn)) {
    const start = match.index + match[0].length - match[1].length;
    const most = / diff| capture|`diff|`capture/.test(match[0]) ? 2 : 1;
    for (const number of [...match[1].matchAll(/\d+/g)].slice(0, most)) add(start + number.index, number[0], 'command');
  }
  for (const match of text.matchAll(forms.loop)) {
    const start = match.index + match[0].length - match[1].length;
    for (const number of match[1].matchAll(/\d+/g)) add(start + number.index, number[0], 'command');
  }
  for (const match of text.matchAll(forms.calls)) add(match.index + '<(trace '.length, match[1], 'command');
  for (const match of text.matchAll(forms.linkText)) {
    for (const number of match[1].matchAll(/(?<![\w.,-])\d\d(?![\w-])/g)) add(match.index + 1 + number.index, number[0], 'link');
  }
  for (const match of text.matchAll(forms.title)) add(match.index + 2, match[1], 'title');
  for (const match of text.matchAll(formOfLabels(names))) add(match.index, match[1], 'label');
  const prose = blankCode(text);
  for (const match of prose.matchAll(forms.possessive)) if (names.some((name) => name.startsWith(match[1]))) add(match.index, match[1], 'possessive');
  for (const match of prose.matchAll(forms.bare)) add(match.index, match[1], 'bare');
}

/** Links whose words say another number than the chapter's text to which they lead: [{start, number, target}]. */
export function findWrongLinks(text) {
  return [...text.matchAll(forms.linkText)].flatMap((match) => {
    const number = /^(?:[Cc]hapter )?(\d\d)\b/.exec(match[1])?.[1];
    return number && number !== match[2] ? [{ start: match.index, number, target: match[0].slice(match[0].lastIndexOf('(') + 1, -1) }] : [];
  });
}

/** Numbers of chapters that stand in none of the forms, as far as one can tell from the words beside them. */
export function findLooseNumbers(text, names) {
  const known = new Set(findMentions(text, names).map(({ start }) => start));
  const form = /(?:\b(?:as in|as|[Ff]rom|[Nn]ever) (\d\d)(?= on\b|\s*[,.;:|)])|\|\s*(\d\d)(?= \|[^|\n]*[a-z]))/g;
  const inDiagrams = /(?<![\w.:,/$%#&+'=-])(?:(0\d|\d\d(?=[,;"]))(?![\w:/%-])(?![.,]\d)|(?<=")(\d\d)(?=: ))/g;
  const found = [...blankCode(text).matchAll(form), ...onlyDiagrams(text).matchAll(inDiagrams)];
  return found.flatMap((match) => {
    const number = match[1] ?? match[2];
    const start = match.index + match[0].length - number.length;
    return known.has(start) || !names.some((name) => name.startsWith(number)) ? [] : [{ start, number }];
  });
}

// "12 epoll", as tables have it.
function formOfLabels(names) {
  const labels = names.flatMap((name) => [name.replace('-', ' '), name.replaceAll('-', ' ')]);
  return new RegExp(String.raw`(?<![\w.,-])(?=(?:${labels.join('|')})(?![\w-]))(\d\d)`, 'gi');
}

function onlyDiagrams(text) {
  let end = 0;
  let result = '';
  for (const match of text.matchAll(/^```mermaid\n[\s\S]*?^```$/gm)) {
    result += ' '.repeat(match.index - end) + match[0];
    end = match.index + match[0].length;
  }
  return result;
}

// The text with blanks where there is code, a comment or a table of figures: no number in it is an author's word.
export function blankCode(text) {
  const blank = (part) => part.replace(/[^\n]/g, ' ');
  return text
    .replace(/^(```+)[^\n]*\n[\s\S]*?^\1[^\n]*$/gm, blank)
    .replace(/<!-- figures[\s\S]*?<!-- \/figures -->/g, blank)
    .replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, (part) => (part.includes('\n\n') ? part : blank(part)))
    .replace(/<code>[\s\S]*?<\/code>/g, blank)
    .replace(/\]\([^)]*\)/g, (part) => `]${blank(part.slice(1))}`);
}

/** The text with new numbers: `change` gets the two digits of a chapter and returns those of today. */
export function renumber(text, names, change, options) {
  let result = '';
  let end = 0;
  for (const mention of findMentions(text, names, options)) {
    const changed = change(mention.number.padStart(2, '0'));
    const shown = mention.number.length < 2 || mention.form === 'command' ? String(Number(changed)).padStart(mention.number.startsWith('0') ? 2 : 1, '0') : changed;
    result += text.slice(end, mention.start) + shown;
    end = mention.end;
  }
  return result + text.slice(end);
}
