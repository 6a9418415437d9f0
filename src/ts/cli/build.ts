// fdpass build: compiles the addon where the package has no binary for the platform.
import { compileAddon } from '../native/compile';
import { type Command, EXIT } from './command';
import { parseCommandLine } from './command-line';
import { printJson } from './failure';

export const build: Command = {
  acts: true,
  help: `Compile the native part of fdpass in the installed package, and load it from then on.

  fdpass build [--json]

  --json    for scripts: one object on stdout, { outcome, ... }; see below
  --help    this text

Needed where the package brings no binary (it has linux-x64 and linux-arm64), once after each installation. Takes g++,
make and python3, the node-gyp that comes with npm, and Node's headers: those beside Node, else of npm_config_nodedir,
else node-gyp fetches them from nodejs.org. CXX and CXXFLAGS count. The result is build/Release/fdpass.node in the
folder of the package; running processes keep what they have loaded.

Exit code, and "outcome" of --json:
  0   built    { file }
  1   failed   { code, reason }; the output of the compiler is on stderr
  64           the command line is wrong
`,
  async run(args) {
    const json = parse(args);
    try {
      const file = await compileAddon();
      if (json) printJson({ outcome: 'built', file });
      else process.stdout.write(`built ${file}\n`);
      return EXIT.ok;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (json) printJson({ outcome: 'failed', code, reason: message });
      process.stderr.write(`fdpass build: ${message}\n`);
      return EXIT.failed;
    }
  },
};

function parse(args: readonly string[]): boolean {
  return parseCommandLine({ args: [...args], options: { json: { type: 'boolean' } } }).values.json ?? false;
}
