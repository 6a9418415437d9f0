// Abstract names that no other test or process uses.
let count = 0;

/** Without the '@'. */
export function freshName(): string {
  count++;
  return `fdpass-test-${process.pid}-${count}`;
}
