// The circumstances of a measurement, which belong to every absolute figure.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

export function describeMachine(buildFolder) {
  return {
    kernel: `Linux ${release().split('-')[0]}`,
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    compiler: describeCompiler(buildFolder),
    liburing: tryRun('pkg-config', ['--modversion', 'liburing']),
    congestion_control: tryRead('/proc/sys/net/ipv4/tcp_congestion_control'),
    mitigations: describeMitigations(),
  };
}

// How many descriptors a process may have, when it raises its own limit as far as it may.
export function maxDescriptors() {
  const line = readFileSync('/proc/self/limits', 'utf8').split('\n').find((text) => text.startsWith('Max open files'));
  const hard = line.trim().split(/\s+/).at(-2);
  return hard === 'unlimited' ? 2 ** 20 : Number(hard);
}

// The numbers of the processors on which this process may run.
export function allowedProcessors() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  return list.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function describeCompiler(buildFolder) {
  const path = /^CMAKE_CXX_COMPILER:[A-Z]+=(.*)$/m.exec(tryRead(`${buildFolder}/CMakeCache.txt`))?.[1];
  return path ? tryRun(path, ['--version']).split('\n')[0] : '';
}

// What the kernel does against faults of the processor; most of it makes system calls dearer.
function describeMitigations() {
  const folder = '/sys/devices/system/cpu/vulnerabilities';
  const names = tryList(folder);
  return names.map((name) => [name, tryRead(`${folder}/${name}`)])
    .filter(([, state]) => state && state !== 'Not affected')
    .map(([name, state]) => `${name}: ${state}`)
    .join('; ');
}

// The version of a peer's library by the package manager, as "libuv1-dev 1.44.2"; empty elsewhere.
export function versionOf(packageName) {
  const version = tryRun('dpkg-query', ['-W', '-f', '${Version}', packageName]);
  return version.replace(/^\d+:/, '').replace(/[-+~].*$/, '');
}

function tryRead(path) {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}

function tryList(path) {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

function tryRun(program, words) {
  try {
    return execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}
