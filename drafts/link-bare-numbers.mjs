// One-off, re-runnable: node /work/wt/link-bare-numbers.mjs ROOT   bare numbers of chapters in the texts become links.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
process.chdir(process.argv[2]);
const { findMentions, blankCode } = await import(`${process.cwd()}/tools/docs/lib/chapter-mentions.mjs`);
const names = readdirSync('chapters').filter((n) => /^\d\d-/.test(n)).sort();
const byNumber = new Map(names.map((n) => [n.slice(0, 2), n]));
const pages = ['docs/c10k.md', 'docs/choosing.md', 'docs/designs.md', 'docs/io-models.md', 'docs/measurements.md', 'README.md'];
const others = [/No chapter before $/, /any chapter before $/, /^\| \| $/, /(signals|`poll`) \| $|^\| \| 10 `poll` \| $/, /level \| $/, /level-triggered \| $/, /intervals of $/, /overlap those of $/, /epoll \| $/, /reactor, (13 to )?$/, /proactor, $/];
const notInPages = [/C\+\+$/, /for a process, $/, /where a process was forked, $/, /one echo takes $/, /with `+ and $/, /\band $(?=.*with `clone|)/];
for (const path of [...readdirSync('docs').filter((f) => f.endsWith('.md')).map((f) => `docs/${f}`), 'README.md', 'CONTRIBUTING.md']) {
  let text = readFileSync(path, 'utf8');
  const prose = blankCode(text);
  const figures = [...text.matchAll(/<!-- figures[\s\S]*?<!-- \/figures -->/g)].map((m) => [m.index, m.index + m[0].length]);
  const known = new Map(findMentions(text, names).map((m) => [m.start, m.form]));
  const edits = [];
  for (const m of prose.matchAll(/(?<![\w.:,/$%#&+"'=-])(\d\d)(?![\w:/%-])(?![.,]\d)/g)) {
    if (!byNumber.has(m[1]) || (known.has(m.index) && known.get(m.index) !== 'bare')) continue;
    if (figures.some(([a, b]) => m.index >= a && m.index < b)) continue;
    const lineStart = text.lastIndexOf('\n', m.index - 1) + 1;
    const before = text.slice(lineStart, m.index), after = text.slice(m.index + 2, m.index + 30);
    const isHeading = /^#/.test(before);
    let isChapter = m[1][0] === '0' || known.get(m.index) === 'bare';
    if (!isChapter && pages.includes(path)) isChapter = !(/C\+\+$|for a process, $|was forked, $|echo takes $|Debian (12 and )?$|MB\. .* needs $|needs $|bytes, 1, $/.test(before) || /^ (microseconds|for a thread|with `read)/.test(after) || /\d+ microseconds with `\w+` and $/.test(before) || / microseconds/.test(after.slice(0, 14)) || /^ with `/.test(after) && /microseconds/.test(before));
    if (!isChapter && /docs\/(01|12|13|14|16|17)-/.test(path)) {
      isChapter = others.some((form) => form.test(before)) || (path.includes('17-') && /^to $/.test(before)) || (/^\| \| \d\d, /.test(text.slice(lineStart, lineStart + 8)) && / \| $/.test(before)) || (/^\| \| \d\d `/.test(text.slice(lineStart, lineStart + 8)) && / \| $/.test(before));
      if (/IORING|IS|is `/.test(before.slice(-6))) isChapter = false;
    }
    if (!isChapter || isHeading) { if (process.argv[3]) console.log('left', path, text.slice(0, m.index).split('\n').length, JSON.stringify(before.slice(-30) + '>>' + m[1] + '<<' + after.slice(0, 14))); if (isHeading) console.log('HEADING', path, before, m[1]); continue; }
    const target = posix.relative(posix.dirname(path), `docs/${byNumber.get(m[1])}.md`);
    edits.push([m.index, `[${m[1]}](${target})`]);
  }
  for (const [at, link] of [...edits].reverse()) text = text.slice(0, at) + link + text.slice(at + 2);
  text = text.replace(/^```mermaid\n[\s\S]*?^```$/gm, (diagram) => {
    const known = new Set(findMentions(diagram, names).filter((m) => m.form !== 'bare').map((m) => m.start));
    return diagram.replace(/(?<![\w.:,/$%#&+'=-])(\d\d)(?![\w:/%-])(?![.,]\d)/g, (number, _, at) => {
      if (known.has(at) || !byNumber.has(number) || !/choosing|designs/.test(path)) return number;
      edits.push(number);
      return `chapter ${number}${/^ epoll, edge/.test(diagram.slice(at + 2)) ? ':' : ''}`;
    });
  });
  if (edits.length) { writeFileSync(path, text); console.log(path, edits.length); }
}
