// What a service is called that nobody has given a name: as its package, else as its script.
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Says nothing of what is in them. */
const PLAIN = ['index', 'main', 'server', 'app', 'start', 'www'];

/** @param script of the program: an absolute path @returns one that validateHandoffName() takes */
export function serviceName(script: string): string {
  const stem = path.basename(script, path.extname(script));
  const folder = path.basename(path.dirname(script));
  const names = [packageName(path.dirname(script)), PLAIN.includes(stem) ? folder : stem, stem];
  return names.map(clean).find((name) => name !== '') ?? 'service';
}

/** Of the nearest one above that has a name. */
function packageName(folder: string): string {
  for (let at = folder; ; at = path.dirname(at)) {
    const { name } = readManifest(path.join(at, 'package.json'));
    if (typeof name === 'string' && name !== '') return name;
    if (at === path.dirname(at)) return '';
  }
}

function readManifest(file: string): { name?: unknown } {
  try {
    const manifest: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? manifest : {};
  } catch {
    return {}; // there is none, or it is nonsense: npm will say so
  }
}

/** '@team/shop' is 'team-shop'. */
function clean(name: string): string {
  return name
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64);
}
