// Bursts that are leased to the reviewer. The next ones are fetched ahead, so that a key press shows the next at once.
import { notify, send } from "./site.js";

const AHEAD = 3;

export class LeasedQueue {
  items = [];
  done = []; // ids that were decided or skipped: the catalogue may not know yet
  #first;
  #fetching = null;
  #address;
  #options;

  /**
   * `address` answers a POST with bursts under `name`. `body`: further fields of the request. `first`: the id of a burst
   * that is to come first. `current`: returns the burst on the page. `prefetch`: is called with each burst that arrives.
   */
  constructor(address, { name, body, first, current, prefetch }) {
    this.#address = address;
    this.#options = { name, body, current, prefetch };
    this.#first = first;
  }

  /** Fetch more, unless there are enough. Returns the promise of the fetch that runs. */
  refill() {
    if (this.#fetching || (this.items.length >= AHEAD && !this.#first)) return this.#fetching;
    const { name, body, current, prefetch } = this.#options;
    const shown = current();
    const have = [...this.done.slice(-400), ...[...this.items, ...(shown ? [shown] : [])].map((burst) => burst.burst_id)];
    const wanted = this.#first;
    this.#fetching = send(this.#address, { ...body, have, first: wanted })
      .then((answer) => {
        this.#first = null;
        const known = new Set([...have, ...this.done]);
        for (const burst of answer[name]) {
          if (known.has(burst.burst_id)) continue;
          if (burst.burst_id === wanted) this.items.unshift(burst);
          else this.items.push(burst);
          prefetch(burst);
        }
      })
      .catch((error) => {
        this.#first = null;
        notify(error.message, "bad");
      })
      .finally(() => { this.#fetching = null; });
    return this.#fetching;
  }

  /** Wait until no fetch runs. */
  async idle() {
    while (this.#fetching) await this.#fetching;
  }

  /** Fetch a burst anew that has changed since it was fetched; it comes next. */
  async again(burst) {
    await this.idle();
    for (let at; (at = this.done.indexOf(burst.burst_id)) >= 0;) this.done.splice(at, 1);
    this.#first = burst.burst_id;
    await this.refill();
  }

  /** Fetch into an empty queue. */
  async fetchMore() {
    const wanted = this.#first;
    await this.refill();
    // The burst of the address may be with another reviewer by now.
    if (!this.items.length && wanted) await this.refill();
  }
}
