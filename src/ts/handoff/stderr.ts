// A successor's own stderr: kept aside while its predecessor listens in, put in place when it takes over.
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';
import { type ProcessSeam, STDERR_VARIABLE } from './process';

/**
 * Reads and removes the variable that spawnSuccessor() set, so that nothing this process starts sees it.
 * @returns puts the real stderr in place; does nothing where there is none
 */
export function takeStderr(seam: ProcessSeam): () => void {
  const [number, inode] = (seam.env[STDERR_VARIABLE] ?? '').split(':');
  delete seam.env[STDERR_VARIABLE];
  let real: Fd | undefined;
  try {
    const passed = Fd.adopt(Number(number));
    // Something between us (a shell, npm) may have closed it and used the number for itself.
    if (String(passed.describe().inode) !== inode) {
      passed.detach();
      return () => {};
    }
    real = Fd.dup(passed); // close-on-exec
    passed.close();
  } catch {
    return () => {}; // no variable, or no such descriptor
  }
  return () => {
    if (real === undefined || real.fd === -1) return;
    binding.redirect(real.fd, 2);
    real.close();
  };
}
