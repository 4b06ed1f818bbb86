// A text of docs/ as HTML: plain Markdown, whose fences, quizzes, links and pictures become what a page can do with them.

import { posix } from 'node:path';
import MarkdownIt from 'markdown-it';
import { slugify } from '../../docs/lib/links.mjs';
import { Problem } from '../../docs/lib/problem.mjs';
import { parseQuiz } from '../../docs/lib/quiz.mjs';
import { escapeHtml } from '../view/html.mjs';
import { FenceRenderer } from './fences.mjs';
import { linkBetween, pageOfSource } from './site.mjs';
import { renderQuestion } from './quiz.mjs';

export class TextRenderer {
  /** {site, highlighter, glossary, pictures, plots, tests}: what the builder has read once for all pages. */
  constructor(book) {
    this.book = book;
    this.md = new MarkdownIt({ html: true });
    this.#setRules();
  }

  /**
   * A page's text: {html, headings: [{level, id, text}], sections: [{id, title, text}]}. The sections are for the search: no code, no
   * diff and no recorded session is in them.
   */
  render(page) {
    const { document } = page;
    const questions = parseQuiz(document);
    for (const { problems: [first] } of questions) if (first) throw new Problem(`${document.path}:${first.line}: ${first.message}`);
    const lines = [...document.lines];
    const opens = document.markersNamed('quiz');
    const closes = document.markersNamed('/quiz');
    opens.forEach(({ index: from }, number) => {
      const to = closes.find(({ index }) => index > from).index;
      lines.splice(from, to - from + 1, `<quiz-place data-n="${number}">`, ...Array(to - from).fill(''));
    });
    const env = { page, questions, fences: new FenceRenderer(this.book, page), slugs: new Map(), headings: [], sections: [], seenTerms: new Set() };
    const html = env.fences.settleTies(this.md.render(lines.join('\n'), env));
    return { html, headings: env.headings, sections: env.sections };
  }

  /** A piece of a text, such as an option of a question. */
  renderPiece(text, env) {
    return this.md.render(text, { ...env, isPiece: true });
  }

  /** What a reader clicks on: no link is in it. */
  renderInline(text, env) {
    return this.md.renderInline(text, { ...env, isPiece: true, isButton: true });
  }

  #setRules() {
    const { md } = this;
    const { rules } = md.renderer;
    md.core.ruler.push('wide-rows', (state) => {
      joinEmptyCells(state.tokens);
    });
    md.core.ruler.push('sections', (state) => {
      if (!state.env.isPiece) collectSections(state.tokens, state.env);
    });
    rules.fence = (tokens, index, options, env) => this.#renderFence(tokens[index], env);
    rules.code_block = (tokens, index) => `<pre tabindex=0><code>${escapeHtml(tokens[index].content)}</code></pre>\n`;
    rules.html_block = (tokens, index, options, env) => this.#renderBlock(tokens[index].content, env);
    rules.html_inline = (tokens, index) => (tokens[index].content.startsWith('<!--') ? '' : tokens[index].content);
    rules.code_inline = (tokens, index, options, env) => this.#renderCode(tokens, index, env);
    rules.heading_open = (tokens, index) => {
      const { tag, meta } = tokens[index];
      return meta?.id ? `<${tag} id="${escapeHtml(meta.id)}">` : `<${tag}>`;
    };
    rules.heading_close = (tokens, index) => {
      const { tag } = tokens[index];
      const open = tokens.slice(0, index).findLast(({ type }) => type === 'heading_open');
      const link = open.meta?.id && tag !== 'h1' ? ` <a class=here href="#${escapeHtml(open.meta.id)}" aria-label="link to this section">#</a>` : '';
      return `${link}</${tag}>\n`;
    };
    rules.table_open = () => '<div class=table tabindex=0 role=group aria-label="table"><table>\n';
    rules.table_close = () => '</table></div>\n';
    // The first cell of a head may be empty, and an empty header is none.
    rules.th_open = (tokens, index) => (tokens[index + 1]?.content === '' ? '<td>' : '<th scope=col>');
    rules.th_close = (tokens, index) => (tokens[index - 1]?.content === '' ? '</td>' : '</th>');
    rules.paragraph_open = (tokens, index, options, env) => {
      if (tokens[index].hidden) return '';
      const id = env.page.url === this.book.glossary.url && /^\*\*([^*]+)\*\*:/.exec(tokens[index + 1].content);
      return id ? `<p id="${escapeHtml(this.book.glossary.idOf(id[1]))}">` : '<p>';
    };
    rules.link_open = (tokens, index, options, env) => this.#renderLink(tokens[index], env);
    rules.image = (tokens, index, options, env) => this.#renderImage(tokens[index], env);
    rules.text = (tokens, index, options, env) => this.#renderWords(tokens, index, env);
  }

  #renderFence(token, env) {
    const language = token.info.trim();
    if (language === 'mermaid') return this.book.pictures.render(token.content, env.page);
    return env.fences.render(token.map && !env.isPiece ? token.map[0] : undefined, token.content, language);
  }

  #renderBlock(content, env) {
    const number = /^<quiz-place data-n="(\d+)">/.exec(content)?.[1];
    if (number !== undefined) return renderQuestion(env.questions[number], Number(number) + 1, env.page, (text) => this.renderPiece(text, env), (text) => this.renderInline(text, env));
    return content.replace(/<!--[\s\S]*?-->/g, '').replace(/^\s+$/, '');
  }

  // A test that the text names, and a file of the project, are links to where they stand.
  #renderCode(tokens, index, env) {
    const { content } = tokens[index];
    const code = `<code>${escapeHtml(content)}</code>`;
    if (env.isButton || isInLink(tokens, index) || tokens[index].meta?.isHeading) return code;
    const place = this.#findPlace(content, env) ?? env.fences?.placeOfCall(content);
    if (!place) return code;
    const tie = place.tie ? ` class=tie data-t="${escapeHtml(place.tie)}"` : '';
    return `<a href="${escapeHtml(place.href)}"${tie}>${code}</a>`;
  }

  #findPlace(content, { page }) {
    const test = /^test:\s*"(.*)"$/.exec(content)?.[1];
    if (test !== undefined) {
      const found = this.book.tests.get(test);
      return found && { href: linkBetween(page.url, pageOfSource(found.path), `L${found.line}`) };
    }
    const { site } = this.book;
    if (site.hasSourcePage(content)) return { href: linkBetween(page.url, pageOfSource(content)) };
    return undefined;
  }

  #renderLink(token, { page }) {
    const target = token.attrGet('href') ?? '';
    if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return `<a href="${escapeHtml(target)}" rel=noreferrer>`;
    return `<a href="${escapeHtml(this.#resolve(target, page))}">`;
  }

  // As the link checker of the texts reads it: relative to the document.
  #resolve(target, page) {
    const [place, fragment = ''] = target.split('#');
    if (place === '') return `#${fragment}`;
    const path = posix.normalize(posix.join(posix.dirname(page.path), decodeURIComponent(place)));
    const { site } = this.book;
    const document = site.findDocument(path);
    if (document) return linkBetween(page.url, document.url, fragment);
    if (site.hasSourcePage(path)) return linkBetween(page.url, pageOfSource(path), fragment.replace(/-L\d+$/, ''));
    if (!site.project.isFile(path)) throw new Problem(`${page.path}: the link ${target} leads to ${path}, which is no page of the book and no file; correct it`);
    return linkBetween(page.url, this.book.addFile(path), fragment);
  }

  #renderImage(token, { page }) {
    const path = posix.normalize(posix.join(posix.dirname(page.path), token.attrGet('src')));
    const words = token.children.map(({ content }) => content).join('');
    return this.book.plots.render(path, words, page);
  }

  #renderWords(tokens, index, env) {
    const { content } = tokens[index];
    if (env.isPiece || tokens[index].meta?.isHeading || isInLink(tokens, index) || isInLink(tokens, index, 'strong')) return escapeHtml(content);
    return this.book.glossary.renderText(content, env);
  }
}

function isInLink(tokens, index, kind = 'link') {
  let depth = 0;
  for (let at = 0; at < index; at++) {
    if (tokens[at].type === `${kind}_open`) depth += 1;
    if (tokens[at].type === `${kind}_close`) depth -= 1;
  }
  return depth > 0;
}

// A row of a table that has a bold cell and then nothing, as the name of a part, is one cell.
function joinEmptyCells(tokens) {
  for (let at = tokens.length - 1; at >= 0; at--) {
    if (tokens[at].type !== 'tr_open') continue;
    const end = tokens.findIndex(({ type }, index) => index > at && type === 'tr_close');
    const cells = tokens.slice(at + 1, end);
    const [first, ...others] = cells.filter(({ type }) => type === 'inline');
    if (others.length === 0 || !/^\*\*[^*]+\*\*$/.test(first.content) || others.some(({ content }) => content !== '')) continue;
    cells[0].attrSet('colspan', String(others.length + 1));
    tokens.splice(at + 4, end - at - 4);
  }
}

// Gives each heading its id, as a code host does, and collects what the search looks through.
function collectSections(tokens, env) {
  let section = { id: '', title: '', text: [] };
  env.sections.push(section);
  tokens.forEach((token, index) => {
    if (token.type === 'heading_open') {
      const inline = tokens[index + 1];
      const slug = slugify(inline.content);
      const count = env.slugs.get(slug) ?? 0;
      env.slugs.set(slug, count + 1);
      const id = count === 0 ? slug : `${slug}-${count}`;
      const text = wordsOf(inline);
      token.meta = { id };
      inline.children.forEach((child) => {
        child.meta = { isHeading: true };
      });
      env.headings.push({ level: Number(token.tag.slice(1)), id, text });
      section = { id, title: text, text: [] };
      env.sections.push(section);
    } else if (token.type === 'inline' && tokens[index - 1].type !== 'heading_open') section.text.push(wordsOf(token));
  });
}

// Code in a sentence is part of it, its Markdown is not.
function wordsOf(inline) {
  return (inline.children ?? []).map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : type === 'softbreak' ? ' ' : '')).join('');
}
