// What the markers `figures fleet` and `figures fleet-open` show: what clients saw of the machines behind a balancer.

import { tabulate, tabulateOpen } from '../../fleet/table.mjs';
import { Problem } from './problem.mjs';

export const fleetResultsPath = 'docs/fleet-results.json';

const kinds = { fleet: tabulate, 'fleet-open': tabulateOpen };

export function isOfFleet([word]) {
  return Object.hasOwn(kinds, word ?? '');
}

export function readFleetResults(text) {
  let results;
  try {
    results = JSON.parse(text);
  } catch (error) {
    throw new Problem(`${fleetResultsPath} is no JSON (${error.message}); make it with ./learn fleet --record`);
  }
  if (results?.format !== 1 || !Array.isArray(results.scenarios) || results.scenarios.length === 0) {
    throw new Problem(`${fleetResultsPath} has no scenarios in the format 1; make it with ./learn fleet --record`);
  }
  return results;
}

// With the names of scenarios, these stand side by side.
export function makeFleetFigures(results, [word, ...ids]) {
  if (word !== 'fleet' && ids.length > 0) throw new Problem(`cannot read this marker; write <!-- figures ${word} -->`);
  const chosen = ids.map((id) => findScenario(results, id));
  const [head, ...rows] = ids.length > 0 ? transpose(tabulate(chosen)) : kinds[word](results.scenarios);
  const table = [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  const { date, haproxy, machine, clients } = results;
  return [...table, '', `${date}, HAProxy ${haproxy}, ${machine.kernel}, ${machine.processors} processors; ${clients.visitors} visitors, ${clients.residents} residents, ${clients.readers} slow readers.`];
}

function findScenario({ scenarios }, id) {
  const scenario = scenarios.find((other) => other.id === id);
  if (!scenario) throw new Problem(`${fleetResultsPath} has no scenario "${id}"; it has ${scenarios.map((other) => other.id).join(', ')}`);
  return scenario;
}

function transpose(rows) {
  return rows[0].map((_, column) => rows.map((row) => row[column]));
}
