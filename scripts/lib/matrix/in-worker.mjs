// Runs the test file that it is given in a worker thread, whose exit status is ours.
import { Worker } from 'node:worker_threads';

new Worker(process.argv[2]).on('exit', (code) => {
  process.exitCode = code;
});
