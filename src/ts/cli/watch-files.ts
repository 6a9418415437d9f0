// FileWatch: tells when files of a program have changed.
import { type Dirent, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../base/errors';

/** Editors and compilers write several files, each in several steps. */
const SETTLE_MS = 100;

/** Never of the program itself, and large. */
const SKIPPED = ['node_modules', '.git'];

/** In a folder that is watched. Logs and databases are no sources; a file that is named is watched whatever it is. */
const SOURCES = /\.([cm]?[jt]sx?|json)$/;

export interface WatchHooks {
  /** @param files that have changed, in the order in which it was noticed */
  changed(files: string[]): void;
  /** Some changes will go unnoticed. */
  failed(error: Error): void;
}

interface Folder {
  watcher: FSWatcher;
  /** Its sources are meant, and those of the folders in it. */
  whole: boolean;
  /** Files of it that are meant. */
  names: Set<string>;
}

/** A watcher for each folder: fs.watch() with `recursive` would have one for each file of node_modules as well. */
export class FileWatch {
  readonly #hooks: WatchHooks;
  readonly #folders = new Map<string, Folder>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param paths files, and folders with all that is in them */
  constructor(paths: readonly string[], hooks: WatchHooks) {
    this.#hooks = hooks;
    for (const one of paths) {
      const name = path.resolve(one);
      if (statSync(name, { throwIfNoEntry: false })?.isDirectory() === true) this.#watchTree(name);
      // Not the file itself: an editor may put another one in its place.
      else this.#open(path.dirname(name))?.names.add(path.basename(name));
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #watchTree(folder: string): void {
    const opened = this.#open(folder);
    if (opened === undefined || opened.whole) return;
    opened.whole = true;
    for (const entry of entriesOf(folder)) if (isMeant(entry)) this.#watchTree(path.join(folder, entry.name));
  }

  /** undefined: it cannot be watched. */
  #open(folder: string): Folder | undefined {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    try {
      const watcher = watch(folder, (_, name) => this.#onChange(folder, name));
      watcher.on('error', () => this.#forget(folder)); // it has gone
      const opened = { watcher, whole: false, names: new Set<string>() };
      this.#folders.set(folder, opened);
      return opened;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) this.#hooks.failed(explained(error as Error, folder));
      return undefined;
    }
  }

  #forget(folder: string): void {
    this.#folders.get(folder)?.watcher.close();
    this.#folders.delete(folder);
  }

  /** @param name null: the kernel has lost count. inotify(7), IN_Q_OVERFLOW */
  #onChange(folder: string, name: string | null): void {
    const { whole, names } = this.#folders.get(folder) ?? { whole: false, names: new Set() };
    if (name === null) this.#note(folder);
    else if (names.has(name) || (whole && SOURCES.test(name))) this.#note(path.join(folder, name));
    else if (whole) this.#onEntry(folder, name);
  }

  /** It is new, has gone, or is none of ours. */
  #onEntry(folder: string, name: string): void {
    const changed = path.join(folder, name);
    const entry = entriesOf(folder).find((one) => one.name === name);
    if (entry === undefined) {
      for (const known of this.#folders.keys())
        if (known === changed || known.startsWith(changed + path.sep)) this.#forget(known);
    } else if (isMeant(entry) && !this.#folders.has(changed)) {
      this.#watchTree(changed);
      for (const file of sourcesIn(changed)) this.#note(file); // they came with it
    }
  }

  #note(file: string): void {
    this.#changed.add(file);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const files = [...this.#changed];
      this.#changed.clear();
      this.#hooks.changed(files);
    }, SETTLE_MS);
  }
}

/** Not a symbolic link: it may lead anywhere, also upward. */
function isMeant(entry: Dirent): boolean {
  return entry.isDirectory() && !SKIPPED.includes(entry.name);
}

function sourcesIn(folder: string): string[] {
  return entriesOf(folder).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (isMeant(entry)) return sourcesIn(name);
    return SOURCES.test(entry.name) ? [name] : [];
  });
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // it has gone, or may not be read
  }
}

function explained(cause: Error, folder: string): Error {
  const full = hasCode(cause, 'ENOSPC');
  const help = full ? '; raise the sysctl fs.inotify.max_user_watches, or name fewer PATHS' : '';
  return new Error(`${folder} is not watched: ${cause.message}${help}`, { cause });
}
