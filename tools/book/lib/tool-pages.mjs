// The pages that are nothing without JavaScript, and say so: search and progress.

import { readQuestions } from '../../loop/questions.mjs';
import { nameOf } from '../../loop/progress.mjs';
import { escapeHtml } from '../view/html.mjs';

export function renderSearchPage() {
  return {
    url: 'search.html',
    title: 'Search',
    kind: 'list',
    search: false,
    html: `<h1>Search</h1><form class=find-page role=search action=search.html><input type=search name=q aria-label="Search texts, functions and system calls" autocomplete=off></form>
<noscript><p class=note>The search runs in the page, which needs JavaScript. The <a href="glossary.html">glossary</a> and the list of <a href="code/index.html">the code</a> do not.</p></noscript>
<div class=found id=found role=region aria-live=polite aria-label="what was found"></div>`,
  };
}

/** The reader's progress; the questions of each chapter are in the page, so that it can count them. */
export function renderProgressPage(book) {
  const { site } = book;
  const rows = site.chapters.map((chapter) => {
    const { questions } = readQuestions(site.root, chapter.name);
    const ids = questions.map(({ id }) => id).join(' ');
    return `<tr data-chapter="${escapeHtml(nameOf(chapter.name))}" data-ids="${ids}"><th scope=row><a href="${chapter.url}">${chapter.number} ${escapeHtml(chapter.title)}</a></th><td>–</td><td>–</td><td>–</td><td>–</td></tr>`;
  });
  return {
    url: 'progress.html',
    title: 'Your progress',
    kind: 'list',
    script: 'progress',
    html: `<h1>Your progress</h1>
<noscript><p class=note>What you have done is kept in this browser, which needs JavaScript.</p></noscript>
<p>What you answer in this book is kept in this browser and sent nowhere. <code>./learn</code> keeps what you do in the terminal, in lines of the same form. To take your lines from here to there: export, then <code>./learn progress --import FILE</code>. From there to here: <code>./learn progress --export FILE</code>, then import. The same lines twice are one.</p>
<p class=carry><button type=button id=export>Export</button> <label class=button>Import <input type=file id=import accept=".tsv,text/plain"></label> <button type=button id=forget>Forget all</button></p>
<p id=carried role=status></p>
<div class=table tabindex=0 role=group aria-label="what you have done"><table id=progress><thead><tr><th scope=col>chapter</th><th scope=col>questions answered</th><th scope=col>right at first</th><th scope=col>due</th><th scope=col>in the terminal</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`,
  };
}
