// Makes everything ready and runs the benchmark with the arguments given; its exit status is ours.
import { build } from './build.mjs';
import { filesBelow } from './lib/files.mjs';
import { isOlder } from './lib/modified.mjs';
import { fromRoot } from './lib/root.mjs';
import { keepStdoutForTheResult, runToEnd } from './lib/run.mjs';
import { setup } from './setup.mjs';

keepStdoutForTheResult();
const built = { 'dist/index.js': 'src/ts', 'build/Release/fdpass.node': 'src/native' };
if (Object.entries(built).some(([file, sources]) => isOlder(fromRoot(file), filesBelow(fromRoot(sources))))) {
  await setup();
  await build();
}
const args = [fromRoot('bench/main.mjs'), ...process.argv.slice(2)];
const { code } = await runToEnd(process.execPath, args, { stdio: 'inherit' });
process.exitCode = code;
