// Node for arm64 on a machine of another CPU, under qemu-user: a program that goes through qemu and says so of itself, so
// that what a test starts by process.execPath runs, too.
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { requireTools } from '../system-tools.mjs';

const preload = 'exec-path.cjs';

// The path of that program, made beside the given binary.
export async function runsUnderQemu(binary) {
  await requireTools([
    { command: 'qemu-aarch64-static', package: 'qemu-user-static' },
    { command: 'aarch64-linux-gnu-g++', package: 'g++-aarch64-linux-gnu' }, // brings arm64's libraries
  ]);
  const folder = path.join(path.dirname(binary), 'under-qemu');
  mkdirSync(folder, { recursive: true });
  replace(path.join(folder, preload), (file) => copyFileSync(path.join(import.meta.dirname, preload), file));
  const program = path.join(folder, 'node');
  replace(program, (file) => writeFileSync(file, script(binary, folder), { mode: 0o755 }));
  return program;
}

// Under the permission model Node may not read our preload either, unless it is told so.
const script = (binary, folder) => `#!/bin/sh
case " $* " in *' --permission '*) set -- '--allow-fs-read=${folder}/*' "$@" ;; esac
exec qemu-aarch64-static -L /usr/aarch64-linux-gnu '${binary}' '--require=${path.join(folder, preload)}' "$@"
`;

// By a rename: another run may be using it.
function replace(target, write) {
  const unfinished = `${target}.${process.pid}`;
  write(unfinished);
  renameSync(unfinished, target);
}
