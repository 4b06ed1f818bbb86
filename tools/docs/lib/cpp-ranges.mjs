// Finds functions, types and Catch2 tests in C++ source, without a compiler.
//
// A lexer turns the text into tokens; a small reader walks the declarations at namespace scope and in
// class bodies. It does not understand C++: it only has to know where a definition begins and ends, and
// what it is called.
//
// An item is {kind: 'fn' | 'type' | 'test', name, fullName, first, last, nameLine, signature, head}.
// Lines count from 1. `name` leaves namespaces out ("Connection::read"), `fullName` has them. `first` is
// the first comment line directly above the definition; `head` is the code up to the body, on one line.

import { Problem } from './problem.mjs';

export function splitLines(text) {
  if (text === '') return [];
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

export function isCppPath(path) {
  return /\.(cpp|hpp|cc|h)$/.test(path);
}

export function findItems(text) {
  return new DeclarationReader(text).readAll();
}

// The comments of a text: {start, end} as offsets, `end` behind the last character. What a preprocessor line has is
// left out.
export function findComments(text) {
  return lex(text).comments;
}

// --- the lexer ------------------------------------------------------------------------------------

// Tried in this order at each position. A raw string comes before a plain identifier, since its prefix
// looks like one; a comment before punctuation, since it begins with a slash.
const tokenForms = [
  ['space', /\s+/y],
  ['comment', /\/\/(?:\\\r?\n|[^\n])*|\/\*[\s\S]*?(?:\*\/|$)/y],
  ['string', /(?:u8|[uUL])?R"([^\s()\\]{0,16})\([\s\S]*?\)\1"/y],
  ['string', /(?:u8|[uUL])?"(?:\\[\s\S]|[^"\\\n])*"/y],
  ['character', /(?:u8|[uUL])?'(?:\\[\s\S]|[^'\\\n])+'/y],
  ['identifier', /[\p{L}_$][\p{L}\p{N}_$]*/uy],
  // 0x1p-3, 1'000'000, 1e+9, 10ms: one token, so that the quote in it opens no character.
  ['number', /\.?\d(?:[eEpP][-+]|'(?=\w)|[\w.])*/y],
  ['punctuation', /::|->|[^\s]/y],
];

// A preprocessor line ends where a line ends that has no backslash before the end.
const directive = /#(?:\\\r?\n|[^\n])*/y;

function lex(text) {
  const tokens = [];
  const codeLines = new Set(); // lines with anything but comments on them
  const commentLines = new Set();
  const comments = [];
  let line = 1;
  let atLineStart = true;
  let position = 0;
  while (position < text.length) {
    const { kind, value } = readToken(text, position, atLineStart);
    const lastLine = line + countNewlines(value);
    if (kind === 'comment' || kind === 'directive' || kind === 'space') {
      if (kind !== 'space') addLines(kind === 'comment' ? commentLines : codeLines, line, lastLine);
      if (kind === 'comment') comments.push({ start: position, end: position + value.length });
    } else {
      tokens.push({ kind, text: value, line, start: position, end: position + value.length });
      addLines(codeLines, line, lastLine);
    }
    atLineStart = kind === 'space' ? atLineStart || value.includes('\n') : false;
    line = lastLine;
    position += value.length;
  }
  return { tokens, codeLines, commentLines, comments };
}

function readToken(text, position, atLineStart) {
  if (atLineStart && text[position] === '#') {
    return { kind: 'directive', value: matchAt(directive, text, position) };
  }
  for (const [kind, form] of tokenForms) {
    const value = matchAt(form, text, position);
    if (value !== null) return { kind, value };
  }
  throw new Error(`no token at offset ${position}`); // the last form takes any character
}

function matchAt(form, text, position) {
  form.lastIndex = position;
  return form.exec(text)?.[0] ?? null;
}

function countNewlines(text) {
  return text.split('\n').length - 1;
}

function addLines(set, first, last) {
  for (let line = first; line <= last; line++) set.add(line);
}

// --- the reader of declarations -------------------------------------------------------------------

const closers = { '(': ')', '[': ']', '{': '}' };

// Words that may stand before a parenthesis in a declaration without being the function's name.
const neverAName = new Set(['alignas', 'decltype', 'noexcept', 'explicit', 'requires', 'throw', '__attribute__', '__declspec']);

// Words that may follow a parameter list. Any other word there means that the parenthesis belonged to a
// macro's call without a semicolon, and that the declaration begins after it.
const afterParameters = new Set(['const', 'volatile', 'noexcept', 'override', 'final', 'requires', 'throw', '__attribute__']);

const testMacro = /^(?:TEMPLATE_)?TEST_CASE(?:_METHOD)?$/;

class DeclarationReader {
  constructor(text) {
    this.text = text;
    this.lines = splitLines(text);
    Object.assign(this, lex(text));
    this.partners = matchBrackets(this.tokens);
    this.items = [];
  }

  readAll() {
    this.readScope(0, { namespaces: [], types: [] });
    return this.items.sort((a, b) => a.first - b.first || b.last - a.last);
  }

  is(index, text) {
    const token = this.tokens[index];
    return token !== undefined && token.text === text && token.kind !== 'string';
  }

  isIdentifier(index) {
    return this.tokens[index]?.kind === 'identifier';
  }

  // Reads declarations up to the scope's closing brace or the end of the file; returns that index.
  readScope(index, scope) {
    while (index < this.tokens.length && !this.is(index, '}')) {
      const isAccess = ['public', 'private', 'protected'].includes(this.tokens[index].text);
      if (this.is(index, ';')) index += 1;
      else if (isAccess && this.is(index + 1, ':')) index += 2;
      else index = this.readDeclaration(index, scope);
    }
    return index;
  }

  readDeclaration(start, scope) {
    const index = this.skipTemplateAndAttributes(start);
    return (
      this.readNamespace(index, scope) ??
      this.readLinkage(index, scope) ??
      this.readType(start, index, scope) ??
      this.readOther(start, index, scope)
    );
  }

  skipTemplateAndAttributes(index) {
    for (;;) {
      if (this.is(index, 'template')) index = this.is(index + 1, '<') ? this.skipAngles(index + 1) : index + 1;
      else if (this.is(index, 'requires')) index = this.skipConstraint(index + 1);
      else if (this.is(index, '[') && this.is(index + 1, '[')) index = this.partners.get(index) + 1;
      else return index;
    }
  }

  // The constraint after `requires`: parentheses or concept names, joined by && and ||.
  skipConstraint(index) {
    for (;;) {
      if (this.is(index, '(')) index = this.partners.get(index) + 1;
      else {
        while (this.isIdentifier(index) && this.is(index + 1, '::')) index += 2;
        index += 1;
        if (this.is(index, '<')) index = this.skipAngles(index);
      }
      const joins = (this.is(index, '&') && this.is(index + 1, '&')) || (this.is(index, '|') && this.is(index + 1, '|'));
      if (!joins) return index;
      index += 2;
    }
  }

  readNamespace(index, scope) {
    if (this.is(index, 'inline')) index += 1;
    if (!this.is(index, 'namespace')) return undefined;
    const names = [];
    for (index += 1; !this.is(index, '{'); index += 1) {
      if (index >= this.tokens.length || this.is(index, '=')) return this.skipStatement(index);
      if (this.is(index, '[')) index = this.partners.get(index);
      else if (this.isIdentifier(index)) names.push(this.tokens[index].text);
    }
    return this.readScope(index + 1, { ...scope, namespaces: [...scope.namespaces, ...names] }) + 1;
  }

  // extern "C" { ... }: a scope without a name.
  readLinkage(index, scope) {
    const isLinkage = this.is(index, 'extern') && this.tokens[index + 1]?.kind === 'string' && this.is(index + 2, '{');
    return isLinkage ? this.readScope(index + 3, scope) + 1 : undefined;
  }

  // The definition of a struct, class, union or enum; undefined when it is something else that begins
  // alike (a forward declaration, or a function that returns `struct addrinfo`).
  readType(start, index, scope) {
    while (['typedef', 'static', 'inline', 'constexpr', 'const', 'constinit', 'friend'].includes(this.tokens[index]?.text)) index += 1;
    const isEnum = this.is(index, 'enum');
    if (!isEnum && !['struct', 'class', 'union'].some((key) => this.is(index, key))) return undefined;
    index += 1;
    if (isEnum && (this.is(index, 'class') || this.is(index, 'struct'))) index += 1;
    while (this.is(index, '[') || this.is(index, 'alignas')) {
      index = this.partners.get(this.is(index, 'alignas') ? index + 1 : index) + 1;
    }
    const names = [];
    let nameToken = this.tokens[index];
    while ((this.isIdentifier(index) && !this.is(index, 'final')) || this.is(index, '::') || this.is(index, '<')) {
      if (this.is(index, '<')) {
        index = this.skipAngles(index);
        continue;
      }
      if (this.isIdentifier(index)) {
        if (this.isIdentifier(index - 1) && names.length > 0) return undefined; // `struct addrinfo hints`
        names.push(this.tokens[index].text);
        nameToken = this.tokens[index];
      }
      index += 1;
    }
    if (this.is(index, 'final')) index += 1;
    if (this.is(index, ':')) {
      while (index < this.tokens.length && !this.is(index, '{') && !this.is(index, ';')) index = this.skipOne(index);
    }
    if (!this.is(index, '{')) return undefined;
    const close = this.partners.get(index);
    const inner = { ...scope, types: [...scope.types, ...names] };
    if (!isEnum) this.readScope(index + 1, inner);
    const afterType = this.skipStatement(close + 1);
    if (names.length > 0) this.addItem('type', names, scope, start, index, afterType - 1, nameToken);
    return afterType;
  }

  // A function's definition, a test, or anything else that ends with a semicolon.
  readOther(start, index, scope) {
    let parameters; // index of the parenthesis that opens the parameter list
    let nameAt; // index of the last token of the name before it
    let previous; // index of the token before this one, template arguments left out
    while (index < this.tokens.length && !this.is(index, '}')) {
      if (this.is(index, ';')) return index + 1;
      if (this.is(index, '=')) return this.skipStatement(index);
      if (this.is(index, 'operator') && parameters === undefined) {
        nameAt = index;
        parameters = this.findOperatorParameters(index);
        index = this.partners.get(parameters) + 1;
      } else if (this.is(index, '(')) {
        const opensParameters = parameters === undefined && this.isIdentifier(previous) && !neverAName.has(this.tokens[previous].text);
        const after = this.partners.get(index) + 1;
        if (opensParameters) {
          if (this.isIdentifier(after) && !afterParameters.has(this.tokens[after].text)) return after;
          parameters = index;
          nameAt = previous;
        }
        index = after;
      } else if (this.is(index, ':') && parameters !== undefined) {
        index = this.skipInitialisers(index + 1);
      } else if (this.is(index, '{') && parameters !== undefined) {
        const close = this.partners.get(index);
        this.addFunction(scope, { start, nameAt, parameters, body: index, close });
        return close + 1;
      } else {
        const isTemplateArguments = this.is(index, '<') && this.isIdentifier(index - 1);
        if (!isTemplateArguments) previous = index;
        index = isTemplateArguments ? this.skipAngles(index) : this.skipOne(index);
      }
    }
    return index;
  }

  addFunction(scope, { start, nameAt, parameters, body, close }) {
    const nameToken = this.tokens[nameAt];
    if (testMacro.test(nameToken.text)) {
      this.addItem('test', [this.readTestName(parameters)], { namespaces: [], types: [] }, start, body, close, nameToken);
      return;
    }
    this.addItem('fn', this.readQualifiedName(nameAt, parameters), scope, start, body, close, nameToken);
  }

  // Adjacent string literals are one string in C++. TEST_CASE_METHOD has a class before its name.
  readTestName(parameters) {
    let index = parameters + 1;
    const close = this.partners.get(parameters);
    while (index < close && this.tokens[index].kind !== 'string') index += 1;
    let name = '';
    for (; this.tokens[index].kind === 'string'; index += 1) {
      name += this.tokens[index].text.slice(1, -1).replace(/\\(["\\])/g, '$1');
    }
    return name;
  }

  // The parts of `Task<T>::promise_type::~promise_type`, read backwards from its last word.
  readQualifiedName(nameAt, parameters) {
    let name = this.tokens[nameAt].text;
    if (name === 'operator') {
      const symbol = this.tokens.slice(nameAt + 1, parameters).map((token) => token.text).join('');
      name += /^\w/.test(symbol) ? ` ${symbol}` : symbol;
    }
    let index = nameAt - 1;
    if (this.is(index, '~')) {
      name = `~${name}`;
      index -= 1;
    }
    const names = [name];
    while (this.is(index, '::')) {
      index -= 1;
      if (this.is(index, '>')) index = this.skipAnglesBackwards(index);
      if (!this.isIdentifier(index)) break;
      names.unshift(this.tokens[index].text);
      index -= 1;
    }
    return names;
  }

  addItem(kind, names, scope, start, body, end, nameToken) {
    let first = this.tokens[start].line;
    while (this.commentLines.has(first - 1) && !this.codeLines.has(first - 1)) first -= 1;
    const endToken = this.tokens[Math.min(end, this.tokens.length - 1)];
    const name = [...scope.types, ...names].join('::');
    this.items.push({
      kind,
      name,
      fullName: [...scope.namespaces, name].join('::'),
      first,
      last: endToken.line + countNewlines(endToken.text),
      nameLine: nameToken.line,
      signature: this.lines[nameToken.line - 1].trim().replace(/\s*\{$/, ''),
      head: this.text.slice(this.tokens[start].start, this.tokens[body].start).replace(/\s+/g, ' ').trim(),
    });
  }

  // --- ways over tokens; each returns the index after what it skipped ---

  skipOne(index) {
    return (this.partners.get(index) ?? index) + 1;
  }

  skipStatement(index) {
    while (index < this.tokens.length && !this.is(index, ';')) {
      if (this.is(index, '}')) return index;
      index = this.skipOne(index);
    }
    return index + 1;
  }

  // From a `<` over the template arguments. `->` is one token, so every `>` here closes something.
  skipAngles(index) {
    let depth = 0;
    for (; index < this.tokens.length && !this.is(index, ';'); index = this.skipOne(index)) {
      if (this.is(index, '<')) depth += 1;
      if (this.is(index, '>')) depth -= 1;
      if (depth === 0) return index + 1;
    }
    return index;
  }

  skipAnglesBackwards(index) {
    let depth = 0;
    for (; index > 0; index -= 1) {
      if (this.is(index, '>')) depth += 1;
      if (this.is(index, '<')) depth -= 1;
      if (depth === 0) return index - 1;
    }
    return index;
  }

  // A constructor's `: fd_{fd}, name_(name)`: the brace after the last of them opens the body.
  skipInitialisers(index) {
    for (;;) {
      while (index < this.tokens.length && !this.is(index, '(') && !this.is(index, '{')) {
        index = this.is(index, '<') ? this.skipAngles(index) : index + 1;
      }
      index = this.skipOne(index);
      while (this.is(index, '.')) index += 1; // a pack: base(args)...
      if (!this.is(index, ',')) return index;
      index += 1;
    }
  }

  // `operator()(int)` has its parameters in the second pair of parentheses.
  findOperatorParameters(index) {
    index += 1;
    if (this.is(index, '(')) index += 2;
    while (index < this.tokens.length && !this.is(index, '(')) index += 1;
    return index;
  }
}

// Maps the index of each opening bracket to that of its closing one.
function matchBrackets(tokens) {
  const partners = new Map();
  const open = [];
  tokens.forEach((token, index) => {
    if (token.kind !== 'punctuation') return;
    if (closers[token.text]) open.push(index);
    if (!Object.values(closers).includes(token.text)) return;
    const opener = open.pop();
    if (opener === undefined || closers[tokens[opener].text] !== token.text) throw unbalanced(tokens[opener] ?? token);
    partners.set(opener, index);
  });
  if (open.length > 0) throw unbalanced(tokens[open.at(-1)]);
  return partners;
}

function unbalanced(token) {
  return new Problem(`the "${token.text}" in line ${token.line} has no partner, so no function can be found in this file; balance the brackets`);
}
