// Which grammars colour which language, and the theme that turns their scopes into classes.

/** Changes when the same text would be coloured in another way, so that what was kept before is not taken. */
export const version = '3.23.0-2';

/** By the name that the texts' fences have: what shiki calls it, and where its grammar lies. */
export const grammars = {
  cpp: { name: 'cpp', load: () => import('@shikijs/langs/cpp') },
  cmake: { name: 'cmake', load: () => import('@shikijs/langs/cmake') },
  bash: { name: 'shellscript', load: () => import('@shikijs/langs/shellscript') },
  js: { name: 'javascript', load: () => import('@shikijs/langs/javascript') },
  json: { name: 'json', load: () => import('@shikijs/langs/json') },
  lua: { name: 'lua', load: () => import('@shikijs/langs/lua') },
  python: { name: 'python', load: () => import('@shikijs/langs/python') },
};

const classes = ['k', 't', 'f', 's', 'n', 'c', 'p'];
const colourOf = (name) => `#00000${classes.indexOf(name) + 1}`;

/** The class of a token, by the colour that the theme below gave it. */
export const classOf = (colour) => classes[Number(colour?.slice(-1)) - 1] ?? '';

const scopes = {
  c: ['comment', 'punctuation.definition.comment'],
  s: ['string', 'punctuation.definition.string', 'constant.character', 'keyword.other.unit.suffix'],
  n: ['constant.numeric', 'constant.language', 'keyword.other.unit.user-defined', 'keyword.other.unit.hexadecimal'],
  p: ['keyword.control.directive', 'meta.preprocessor keyword', 'punctuation.definition.directive', 'entity.name.function.preprocessor'],
  k: ['keyword', 'storage.modifier', 'storage.type.template', 'storage.type.class', 'storage.type.struct', 'storage.type.enum', 'storage.type.namespace', 'storage.type.js', 'storage.type.function', 'variable.language.this'],
  t: ['storage.type', 'entity.name.type', 'entity.name.scope-resolution', 'support.type', 'support.class', 'entity.other.inherited-class'],
  f: ['entity.name.function', 'support.function', 'meta.function-call entity.name.function'],
};

/** A theme whose colours are numbers of classes. */
export const theme = {
  name: 'classes',
  type: 'light',
  settings: [
    { settings: { foreground: '#000000', background: '#ffffff' } },
    ...Object.entries(scopes).map(([name, scope]) => ({ scope, settings: { foreground: colourOf(name) } })),
    { scope: ['keyword.operator', 'punctuation.separator', 'punctuation.terminator', 'keyword.operator.word'], settings: { foreground: '#000000' } },
    { scope: ['keyword.operator.wordlike', 'keyword.operator.new', 'keyword.operator.cast', 'keyword.operator.sizeof', 'keyword.operator.noexcept'], settings: { foreground: colourOf('k') } },
  ],
};
