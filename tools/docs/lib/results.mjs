// The published run: what docs/measurements/results.json holds, and what may be said of it.

import { renameServers, withoutNumber } from '../../chapters.mjs';
import { Problem } from './problem.mjs';

export const resultsPath = 'docs/measurements/results.json';

const remake = 'make it with ./learn bench';

// What an interval says beside that of the null, in the words of every table.
export const verdictWords = { more: 'costs more', less: 'costs less', none: 'no difference shown' };

// The rule of honesty: a difference is claimed only where the 95% interval of the ratio lies wholly
// outside that of the null, which is the same program measured against itself. An interval that is not
// there (too few pairs) shows nothing.
export function judge(ratio, nullRatio) {
  if (![ratio?.low, ratio?.high, nullRatio?.low, nullRatio?.high].every(Number.isFinite)) return 'none';
  if (ratio.low > nullRatio.high) return 'more';
  if (ratio.high < nullRatio.low) return 'less';
  return 'none';
}

export class Results {
  // `text` is the file's; `path` is named where something is wrong with it. In the file a chapter has no number;
  // of `chapters`, the names of all, it gets the one that it has today, in its label, too.
  constructor(text, path = resultsPath, chapters = []) {
    this.path = path;
    this.data = addNumbers(parse(text, path), chapters);
    if (this.data?.format !== 1) throw new Problem(`${path} has the format ${JSON.stringify(this.data?.format)}, this tool reads 1; ${remake}`);
    for (const { server, load, wrong_bytes } of [...this.#optional('against_baseline'), ...this.#optional('counted')]) {
      if (wrong_bytes > 0) throw new Problem(`${path}: ${server} sent ${wrong_bytes} wrong bytes${load ? ` at ${load}` : ''}, and what a wrong echo costs is nobody's business; mend the server and measure again`);
    }
  }

  #optional(name) {
    const list = this.data[name] ?? [];
    if (!Array.isArray(list)) throw new Problem(`${this.path}: "${name}" is no list; ${remake}`);
    return list;
  }

  // A list that a table is made of; a table without any row is no table.
  list(name) {
    const list = this.#optional(name);
    if (list.length === 0) throw new Problem(`${this.path} has nothing under "${name}"; ${remake}`);
    return list;
  }

  object(name) {
    const value = this.data[name];
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Problem(`${this.path} has no "${name}"; ${remake}`);
    return value;
  }

  get baseline() {
    return this.server(this.object('settings').baseline);
  }

  // Chapters in their order, then peers; never in the order of a figure.
  get servers() {
    const servers = this.list('servers');
    const chapters = servers.filter(({ kind }) => kind === 'chapter').sort((a, b) => (a.id < b.id ? -1 : 1));
    return [...chapters, ...servers.filter(({ kind }) => kind !== 'chapter')];
  }

  knows(id) {
    return this.list('servers').some((other) => other.id === id);
  }

  server(id) {
    const server = this.list('servers').find((other) => other.id === id || withoutNumber(other.id) === id);
    if (!server) throw new Problem(`${this.path} knows no server "${id}"; ${remake}`);
    return server;
  }

  load(id) {
    const loads = this.list('loads');
    const load = loads.find((other) => other.id === id);
    if (!load) throw new Problem(`${this.path} has no load "${id}"; it has ${loads.map((other) => other.id).join(', ')}`);
    return load;
  }

  // Undefined where it was not measured.
  comparison(serverId, loadId) {
    return this.#optional('against_baseline').find(({ server, load }) => server === serverId && load === loadId);
  }

  counted(serverId, connections, messageBytes) {
    return this.#optional('counted').find((entry) => entry.server === serverId && entry.connections === connections && entry.message_bytes === messageBytes);
  }

  memory(serverId) {
    return this.#optional('memory').filter(({ server }) => server === serverId);
  }

  // Why a server was left out of a load on purpose.
  whyLeftOut(serverId, loadId) {
    return this.#optional('left_out').find(({ server, load }) => server === serverId && load === loadId)?.why;
  }
}

function addNumbers(data, chapters) {
  if (chapters.length === 0 || data === null || !Array.isArray(data.servers)) return data;
  const fullNames = new Map(chapters.map((name) => [withoutNumber(name), name]));
  const numbered = renameServers(data, (id) => fullNames.get(id) ?? id);
  const isNumbered = ({ kind, id }, index) => kind === 'chapter' && id !== data.servers[index].id;
  numbered.servers = numbered.servers.map((server, index) => (isNumbered(server, index) ? { ...server, label: `${server.id.slice(0, 2)} ${server.label}` } : server));
  return numbered;
}

function parse(text, path) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Problem(`${path} is no JSON (${error.message}); ${remake}`);
  }
}
