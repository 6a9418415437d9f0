// FileWatch: tells when files of a program have changed.
import { type Dirent, existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import { hasCode } from '../base/errors';

/** Editors and compilers write several files, each in several steps. */
const SETTLE_MS = 100;

/** How often a root is looked for: nothing tells that another one has taken its name. One stat(2) each. */
const LOOK_MS = 500;

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
  /** Tells it from one that takes its place. */
  identity: string | undefined;
  /** Its sources are meant, and those of the folders in it. */
  whole: boolean;
}

/** A folder that was asked for, whatever is at its name now. */
interface Root {
  /** All sources in it, else only `names`. */
  whole: boolean;
  names: Set<string>;
  /** Of the folder that was there at the last look; undefined: none. */
  identity: string | undefined;
}

/** A watcher for each folder: fs.watch() with `recursive` would have one for each file of node_modules as well. */
export class FileWatch {
  readonly #hooks: WatchHooks;
  readonly #roots = new Map<string, Root>();
  readonly #folders = new Map<string, Folder>();
  readonly #changed = new Set<string>();
  readonly #looks: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;

  /** @param paths files, and folders with all that is in them */
  constructor(paths: readonly string[], hooks: WatchHooks) {
    this.#hooks = hooks;
    for (const one of paths) {
      const name = path.resolve(one);
      if (statSync(name, { throwIfNoEntry: false })?.isDirectory() === true) this.#rootAt(name).whole = true;
      // Not the file itself: an editor may put another one in its place.
      else this.#rootAt(path.dirname(name)).names.add(path.basename(name));
    }
    for (const [folder, root] of this.#roots) this.#lookAt(folder, root);
    this.#looks = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  close(): void {
    clearInterval(this.#looks);
    clearTimeout(this.#timer);
    for (const { watcher } of this.#folders.values()) watcher.close();
    this.#folders.clear();
  }

  #rootAt(folder: string): Root {
    const known = this.#roots.get(folder);
    if (known !== undefined) return known;
    const root = { whole: false, names: new Set<string>(), identity: undefined };
    this.#roots.set(folder, root);
    return root;
  }

  /** A build may have put another folder in the place of a root: its watcher stays with the old one, and tells nothing. */
  #look(): void {
    for (const [folder, root] of this.#roots) for (const file of this.#lookAt(folder, root)) this.#note(file);
  }

  /** @returns what has come with another folder */
  #lookAt(folder: string, root: Root): string[] {
    const identity = identityOf(folder);
    if (identity === root.identity) return [];
    root.identity = identity;
    this.#forgetTree(folder);
    if (identity === undefined) return [];
    if (root.whole) this.#watchTree(folder);
    else this.#open(folder);
    const named = [...root.names].map((name) => path.join(folder, name)).filter((file) => existsSync(file));
    return [...named, ...(root.whole ? sourcesIn(folder) : [])];
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
      const identity = identityOf(folder); // first: one that takes its place now is another one
      const watcher = watch(folder, (_, name) => this.#onChange(folder, name));
      watcher.on('error', () => this.#forget(folder)); // it has gone
      const opened = { watcher, identity, whole: false };
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

  #forgetTree(folder: string): void {
    for (const known of this.#folders.keys()) if (isIn(folder, known)) this.#forget(known);
  }

  /** @param name null: the kernel has lost count. inotify(7), IN_Q_OVERFLOW */
  #onChange(folder: string, name: string | null): void {
    const whole = this.#folders.get(folder)?.whole ?? false;
    const names = this.#roots.get(folder)?.names;
    if (name === null) this.#note(folder);
    else if (names?.has(name) === true || (whole && SOURCES.test(name))) this.#note(path.join(folder, name));
    else if (whole) this.#onEntry(folder, name);
  }

  /** It is new, has gone, was replaced, or is none of ours. */
  #onEntry(folder: string, name: string): void {
    const changed = path.join(folder, name);
    const known = this.#folders.get(changed);
    const entry = entriesOf(folder).find((one) => one.name === name);
    if (entry === undefined || (known !== undefined && known.identity !== identityOf(changed)))
      this.#forgetTree(changed);
    if (entry === undefined || !isMeant(entry) || this.#folders.has(changed)) return;
    this.#watchTree(changed);
    for (const file of sourcesIn(changed)) this.#note(file); // they came with it
  }

  #note(file: string): void {
    this.#changed.add(file);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), SETTLE_MS);
  }

  #tell(): void {
    this.#timer = undefined;
    this.#look();
    if (this.#timer !== undefined) return; // more has come
    const files = [...this.#changed].filter((file) => !this.#isMissing(file));
    for (const file of files) this.#changed.delete(file);
    if (files.length > 0) this.#hooks.changed(files);
  }

  /** Its root is about to be replaced, or the file itself, if that was named: without it there is no program to start. */
  #isMissing(file: string): boolean {
    const named = this.#roots.get(path.dirname(file))?.names.has(path.basename(file)) === true;
    if (named && !existsSync(file)) return true;
    return [...this.#roots].some(([folder, { identity }]) => identity === undefined && isIn(folder, file));
  }
}

/** undefined: there is none. A file system may give the number of a folder to the next one: that is younger. */
function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino, birthtimeNs } = statSync(folder, { bigint: true });
    return `${dev}:${ino}:${birthtimeNs}`;
  } catch {
    return undefined; // or it may not be looked at
  }
}

function isIn(folder: string, file: string): boolean {
  return file === folder || file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
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
