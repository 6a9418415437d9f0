// fdpass abort: calls off an upgrade that is under way.
import { ask } from '../handoff/ask';
import { type Command, EXIT } from './command';
import { otherAnswer, printJson } from './failure';
import { parseTarget, TARGET_HELP } from './target';

export const abort: Command = {
  acts: true,
  help: `Call off the upgrade of a service that is under way, or take it back while the new process is on probation.
Of a pool also: stop replacing its workers.

  fdpass abort NAME [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  --json         for scripts: one object on stdout, { outcome, ... }; see below
  --timeout MS   stop waiting after so many milliseconds
  --help         this text

  fdpass abort shop

The old process serves on, or again; whoever has started the upgrade is told. Once the new process owns the service
(the end of its probation) it is too late. Workers of a pool that were replaced already stay.

Exit code, and "outcome" of --json:
  0   aborted   { pid, state, rolledBack }: of the new process; whether it had served. Of a roll also { worker, done,
                total }: the place whose new worker was called off, and how many have a new one
  1   nothing   no upgrade is under way, or it is too late; { reason }
  1   failed    it could not be taken back; { code, reason }
  1   refused, unknown   as of fdpass restart
  64            the command line is wrong
`,
  async run(args) {
    const { name, address, json, timeoutMs } = parseTarget(args);
    const result = await ask({ address, command: 'abort', name, timeoutMs });
    if (result.outcome !== 'aborted') return otherAnswer('abort', result, json);
    const { pid, state, rolledBack, done, total } = result;
    if (json) printJson(result);
    else if (total !== undefined)
      process.stdout.write(`the roll was called off: ${done} of ${total} workers have been replaced\n`);
    else if (rolledBack) process.stdout.write(`process ${pid} had taken over: rolled back\n`);
    else process.stdout.write(`process ${pid} was called off in state ${state}\n`);
    return EXIT.ok;
  },
};
