// Fifo: first in, first out, without moving what is behind.

/** Never written to: append() takes the place of what is empty. */
const NONE: never[] = [];

export class Fifo<T> {
  #items: T[] = NONE;
  #taken = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  /** Takes the array itself if nothing waits. */
  append(items: T[]): void {
    if (this.length > 0) {
      for (const item of items) this.#items.push(item);
      return;
    }
    this.#items = items;
    this.#taken = 0;
  }

  shift(): T | undefined {
    if (this.#taken === this.#items.length) return undefined;
    const item = this.#items[this.#taken++];
    // Nobody keeps what was taken.
    if (this.#taken === this.#items.length) this.#reset();
    else this.#items[this.#taken - 1] = undefined as T;
    return item;
  }

  *[Symbol.iterator](): Generator<T, void, void> {
    for (let index = this.#taken; index < this.#items.length; index++) yield this.#items[index] as T;
  }

  /** What was left. */
  clear(): T[] {
    const left = this.#items.slice(this.#taken);
    this.#reset();
    return left;
  }

  #reset(): void {
    this.#items = NONE;
    this.#taken = 0;
  }
}
