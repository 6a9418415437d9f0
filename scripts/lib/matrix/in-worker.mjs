// Runs the test file that it is given in a worker thread, whose exit status is ours.
import { Worker } from 'node:worker_threads';

// Untracked: Node would warn of every number that fs has opened and the addon, or a test, has closed.
new Worker(process.argv[2], { trackUnmanagedFds: false }).on('exit', (code) => {
  process.exitCode = code;
});
