// Announcer: what `fdpass run` says of itself, a line each on stderr, and what its workers say.
import type { Writable } from 'node:stream';
import type { LogLine } from '../handoff/pool-commands';
import { LogPrinter } from './log-printer';
import { asJson, type LogText, prefixed, wantsColour } from './log-text';

interface Streams {
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
}

export class Announcer {
  readonly #json: boolean;
  readonly #printers: Record<LogLine['stream'], { printer: LogPrinter; text: LogText }>;

  constructor(
    name: string,
    { json, env, streams }: { json: boolean; env: NodeJS.ProcessEnv; streams: Streams },
  ) {
    this.#json = json;
    const open = (out: Streams['stdout']) => ({
      printer: new LogPrinter(out, (dropped) =>
        this.#message('dropped', `${dropped} lines were left out here`),
      ),
      text: json ? asJson : prefixed(name, { colour: wantsColour(out, env) }),
    });
    this.#printers = { stdout: open(streams.stdout), stderr: open(streams.stderr) };
  }

  /** What a worker has written goes where it has written it. */
  line(line: LogLine): void {
    const { printer, text } = this.#printers[line.stream];
    printer.print(text(line));
  }

  /** @param event one word for scripts */
  say(event: string, message: string): void {
    this.#printers.stderr.printer.print(this.#message(event, message));
  }

  #message(event: string, message: string): string {
    if (!this.#json) return `fdpass run: ${message}\n`;
    return `${JSON.stringify({ time: new Date().toISOString(), event, message })}\n`;
  }
}
