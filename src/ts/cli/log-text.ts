// Lines of a log for people and for scripts. Pure.
import type { LogLine } from '../handoff/pool-commands';

export type LogText = (line: LogLine) => string;

/** SGR foreground colours of ECMA-48 that are told apart on light and on dark: cyan, yellow, green, magenta, blue. */
const COLOURS = [36, 33, 32, 35, 34] as const;

/** `shop/2.3 | text`: worker 2, generation 3. What a worker has coloured and not ended stays in its own line. */
export function prefixed(name: string, { colour }: { colour: boolean }): LogText {
  let width = 0;
  return ({ worker, generation, line }) => {
    const who = `${name}/${worker}.${generation}`;
    width = Math.max(width, who.length);
    const prefix = `${who.padEnd(width)} |`;
    if (!colour) return `${prefix} ${line}\n`;
    return `\x1b[0;${COLOURS[(worker - 1) % COLOURS.length]}m${prefix}\x1b[0m ${line}\x1b[0m\n`;
  };
}

/** One object for each line. */
export const asJson: LogText = ({ time, ...rest }) =>
  `${JSON.stringify({ time: new Date(time).toISOString(), ...rest })}\n`;

/** A terminal that has colours, of somebody who wants them. https://no-color.org */
export function wantsColour(out: { isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}
