// Runs restarts under every kind of client: see --help.
import { runCompiled } from './lib/compiled.mjs';

await runCompiled('proof/zero.js');
