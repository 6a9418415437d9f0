// Which processors the two processes of a run may use.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The processors that this process may use, by number. */
function allowed() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

let canPin;

/** Debian's util-linux has it. */
function hasTaskset() {
  canPin ??= spawnSync('taskset', ['--version']).status === 0;
  return canPin;
}

/**
 * @param choice 'same': both on one, 'two': each on its own, 'any': wherever the kernel likes
 * @returns for each role a number, or undefined for any
 */
export function chooseCores(choice) {
  const last = hasTaskset() ? allowed().slice(-2) : [];
  if (choice === 'same') return { sender: last.at(-1), receiver: last.at(-1) };
  if (choice === 'two' && last.length === 2) return { sender: last[0], receiver: last[1] };
  return { sender: undefined, receiver: undefined };
}

export function pinned(cpu, [command, ...args]) {
  return cpu === undefined ? [command, ...args] : ['taskset', '-c', String(cpu), command, ...args];
}
