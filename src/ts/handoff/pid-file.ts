// PidFile: a file that names the process which owns the service, for supervisors and people.
import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** What cannot be written or removed is a process warning: the service goes on. */
export class PidFile {
  readonly #path: string;
  readonly #pid: number;

  constructor(path: string, pid: number) {
    this.#path = path;
    this.#pid = pid;
  }

  /** This process owns the service. By rename(2): whoever reads it finds one whole id at any time. */
  write(): void {
    const temporary = `${this.#path}.${this.#pid}`;
    orWarn(`${this.#path} could not be written`, () => {
      this.#requireFile();
      rmSync(temporary, { force: true }); // of a process that was killed here and had our id
      try {
        // Not through a symbolic link that somebody has put there: O_EXCL follows none.
        writeFileSync(temporary, `${this.#pid}\n`, { flag: 'wx', mode: 0o644 });
        renameSync(temporary, this.#path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
    });
  }

  /** This process has ended. If the file names another one, or is gone, nothing happens. */
  remove(): void {
    orWarn(`${this.#path} could not be removed`, () => {
      if (this.#isOurs()) rmSync(this.#path, { force: true });
    });
  }

  // rename(2) would put a file in the place of a device, a FIFO or a link to somewhere else.
  #requireFile(): void {
    const found = lstatSync(this.#path, { throwIfNoEntry: false });
    if (found?.isFile() === false) throw new Error('something that is no regular file is there');
  }

  #isOurs(): boolean {
    try {
      this.#requireFile();
      return readFileSync(this.#path, 'utf8') === `${this.#pid}\n`;
    } catch {
      return false;
    }
  }
}

function orWarn(what: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    process.emitWarning(`the pid file ${what}: ${(cause as Error).message}`, { code: 'FDPASS_PID_FILE' });
  }
}
