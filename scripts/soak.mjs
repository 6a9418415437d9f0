// Runs many restarts: see --help.
import { runCompiled } from './lib/compiled.mjs';

await runCompiled('proof/soak.js');
