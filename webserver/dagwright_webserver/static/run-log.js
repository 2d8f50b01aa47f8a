// The events of a run: a list of any length, of which only what is near the screen is in the page.
//
// It knows the numbers of its events as ranges (/events/numbers), cuts them into blocks, and keeps an empty box of the right height
// for each. Boxes that come near the screen are filled with rows made by the server; those far away are emptied again. So 100,000
// events cost a thousand boxes and a few hundred rows, and rows may be of any height.
const BLOCK = 100; // events in a box
const ROW = 28; // px, until a box has been measured
const KEPT = 24; // boxes that stay filled
const PACE = 250; // ms between two looks at a run that goes on

/** Ascending numbers as ranges, by place and back. */
class Numbers {
  ranges = []; // [first, last, place of first]
  count = 0;

  add(ranges) {
    for (const [first, last] of ranges) {
      const end = this.ranges.at(-1);
      if (end && end[1] + 1 === first) end[1] = last;
      else this.ranges.push([first, last, this.count]);
      this.count += last - first + 1;
    }
  }

  at(place) {
    const [first, , start] = this.#find(([, , from]) => from <= place);
    return first + place - start;
  }

  /** The place of a number, or of the next one that there is. */
  placeOf(seq) {
    const range = this.#find(([first]) => first <= seq);
    if (!range || range[0] > seq) return 0;
    return Math.min(this.count, range[2] + Math.min(seq - range[0], range[1] - range[0] + 1));
  }

  has(seq) {
    const range = this.#find(([first]) => first <= seq);
    return Boolean(range) && range[0] <= seq && seq <= range[1];
  }

  #find(before) {
    let low = 0, high = this.ranges.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (before(this.ranges[middle])) low = middle;
      else high = middle - 1;
    }
    return this.ranges[low];
  }
}

export class RunLog {
  constructor(card, { filters, marking, onCount }) {
    this.list = card.querySelector("#events");
    this.rows = card.querySelector("#event-rows");
    this.run = card.dataset.run;
    this.final = card.dataset.final === "yes";
    this.filters = filters;
    this.marking = marking;
    this.onCount = onCount;
    this.following = !this.final;
    this.placed = 0; // where this list itself has scrolled to
    this.near = new Set();
    this.filled = [];
    this.watcher = new IntersectionObserver((seen) => this.#seen(seen), { root: this.list, rootMargin: "800px 0px" });
    this.list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
  }

  /** Take over what the server has shown, or begin anew after the filters changed. */
  async start({ at = null } = {}) {
    const turn = (this.turn = Symbol());
    this.watcher.disconnect();
    this.near.clear();
    const shown = [...this.rows.querySelectorAll(".event")];
    const [numbers, hits] = await Promise.all([this.#numbers(this.marking() ? new URLSearchParams() : this.filters(), 0), this.marking() ? this.#numbers(this.filters(), 0) : null]);
    if (turn !== this.turn) return;
    this.numbers = new Numbers();
    this.numbers.add(numbers.ranges);
    this.hits = hits && new Numbers();
    this.hits?.add(hits.ranges);
    this.last = numbers.last_seq;
    this.boxes = [];
    this.filled = [];
    this.rows.replaceChildren();
    this.#lay();
    this.list.querySelector("#earlier")?.remove();
    if (!this.fresh) this.#adopt(shown);
    this.fresh = true;
    this.#tellCount();
    if (at !== null) await this.jump(at);
    else if (this.following) await this.#toEnd();
    else this.#place(0);
  }

  /** The run has gone on. Any number of hints makes one look at a time. */
  async grow(final = false) {
    this.final ||= final;
    if (this.growing) { this.again = true; return; }
    this.growing = true;
    try {
      do {
        this.again = false;
        const began = performance.now();
        await this.#look();
        if (this.again) await new Promise((done) => setTimeout(done, Math.max(0, PACE - (performance.now() - began))));
      } while (this.again);
    } catch {
      setTimeout(() => this.grow(), 2000);
    } finally { this.growing = false; }
  }

  async jump(seq) {
    if (!this.numbers.count) return null;
    this.follow(false);
    const place = Math.min(this.numbers.placeOf(seq), this.numbers.count - 1);
    const box = this.boxes[Math.floor(place / BLOCK)];
    box.scrollIntoView({ block: "nearest" });
    await this.#fill(box);
    const row = box.children[place % BLOCK];
    if (!row) return null;
    this.#place(this.list.scrollTop + row.getBoundingClientRect().top - this.list.getBoundingClientRect().top - 80);
    this.rows.querySelector(".event.at")?.classList.remove("at");
    row.classList.add("at");
    return Number(row.dataset.seq);
  }

  /** The number of the first row that is on the screen. */
  current() {
    const edge = this.list.getBoundingClientRect().top + 78;
    const box = this.boxes.find((each) => each.getBoundingClientRect().bottom > edge);
    const row = [...(box?.children || [])].find((each) => each.getBoundingClientRect().bottom > edge + 3);
    return row ? Number(row.dataset.seq) : box ? this.numbers.at(Number(box.dataset.box) * BLOCK) : 0;
  }

  /** The next, or the earlier, of some numbers as seen from what is on the screen. */
  async seek(params, forward) {
    const found = new Numbers();
    if (params) found.add((await this.#numbers(params, 0)).ranges);
    const among = params ? found : this.hits;
    if (!among?.count) return null;
    const marked = this.rows.querySelector(".event.at");
    const here = marked ? Number(marked.dataset.seq) : this.current() - (forward ? 1 : 0);
    const place = forward ? among.placeOf(here + 1) : among.placeOf(here) - 1;
    if (place < 0 || place >= among.count) return null;
    return this.jump(among.at(place));
  }

  follow(on) {
    this.following = on;
    this.placed = this.list.scrollTop;
    if (on) this.#toEnd();
    this.#tellCount();
  }

  async #look() {
    const since = this.last;
    const [more, hits] = await Promise.all([this.#numbers(this.marking() ? new URLSearchParams() : this.filters(), since), this.hits ? this.#numbers(this.filters(), since) : null]);
    if (since !== this.last) return; // the filters changed meanwhile
    this.last = more.last_seq;
    this.hits?.add(hits.ranges);
    if (more.count) {
      this.numbers.add(more.ranges);
      this.#scrolled();
      this.#lay();
      if (this.following) await this.#toEnd();
    }
    this.#pump();
    this.#tellCount();
  }

  async #toEnd() {
    const last = this.boxes.at(-1);
    if (!last) return;
    await this.#fill(last);
    if (this.following) this.#place(this.list.scrollHeight);
  }

  #numbers(params, after) {
    const query = new URLSearchParams(params);
    if (after) query.set("after_seq", after);
    return fetch(`/api/v1/runs/${this.run}/events/numbers?${query}`).then((answer) => {
      if (!answer.ok) throw new Error(`events: ${answer.status}`);
      return answer.json();
    });
  }

  #size = (box) => Math.min(BLOCK, this.numbers.count - Number(box.dataset.box) * BLOCK);

  #lay() {
    const wanted = Math.ceil(this.numbers.count / BLOCK);
    const tail = this.boxes.at(-1);
    if (tail && !tail.childElementCount) tail.style.height = `${this.#size(tail) * ROW}px`;
    const made = document.createDocumentFragment();
    for (let n = this.boxes.length; n < wanted; n += 1) {
      const box = document.createElement("div");
      box.dataset.box = n;
      this.boxes.push(box);
      box.style.height = `${this.#size(box) * ROW}px`;
      made.append(box);
    }
    const fresh = [...made.children];
    this.rows.append(made);
    for (const box of fresh) this.watcher.observe(box);
  }

  // What the server has rendered needs no second request, where it fills whole boxes.
  #adopt(shown) {
    const bySeq = new Map(shown.map((row) => [Number(row.dataset.seq), row]));
    for (const box of this.boxes) {
      const start = Number(box.dataset.box) * BLOCK, size = this.#size(box);
      const first = this.numbers.at(start);
      if (!bySeq.has(first) || !bySeq.has(this.numbers.at(start + size - 1))) continue;
      const rows = [];
      for (let n = 0; n < size; n += 1) rows.push(bySeq.get(this.numbers.at(start + n)));
      if (rows.every(Boolean)) this.#put(box, rows);
    }
  }

  #put(box, rows) {
    this.#steady(box, () => { box.append(...rows); box.style.height = ""; });
    if (this.hits) for (const row of rows) row.classList.toggle("hit", this.hits.has(Number(row.dataset.seq)));
    this.filled = this.filled.filter((each) => each !== box);
    this.filled.push(box);
    for (let n = 0; this.filled.length > KEPT && n < this.filled.length; ) {
      const old = this.filled[n];
      if (this.near.has(old) || old.filling || old === box || old.querySelector("details[open]")) { n += 1; continue; }
      old.style.height = `${old.offsetHeight}px`;
      old.replaceChildren();
      this.filled.splice(n, 1);
    }
  }

  // What is on the screen stays where it is when a box above it turns out higher or lower than was thought.
  #steady(box, change) {
    this.#scrolled(); // a person may have scrolled a moment ago, and the event is still to come
    const above = box.getBoundingClientRect().bottom <= this.list.getBoundingClientRect().top;
    const before = box.offsetHeight;
    change();
    if (this.following) this.#place(this.list.scrollHeight);
    else if (above) this.#place(this.list.scrollTop + box.offsetHeight - before);
  }

  #place(top) {
    this.list.scrollTop = top;
    this.placed = this.list.scrollTop;
  }

  #seen(entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) this.near.add(entry.target);
      else this.near.delete(entry.target);
    }
    this.#pump();
  }

  // One request at a time, for what is near now: boxes that only flew past are not asked for.
  async #pump() {
    if (this.pumping) return;
    this.pumping = true;
    try {
      for (;;) {
        const box = [...this.near].reverse().find((each) => each.childElementCount < this.#size(each));
        if (!box) break;
        await this.#fill(box);
      }
    } catch { setTimeout(() => this.#pump(), 1000); } finally { this.pumping = false; }
  }

  async #fill(box) {
    while (box.filling) await box.filling;
    const have = box.childElementCount, size = this.#size(box);
    if (have >= size) return;
    box.filling = this.#fetchRows(Number(box.dataset.box) * BLOCK + have, size - have).then((rows) => {
      if (!rows.length) throw new Error("events: none came");
      if (this.boxes[Number(box.dataset.box)] === box) this.#put(box, rows);
    });
    try { await box.filling; } finally { box.filling = null; }
  }

  async #fetchRows(place, count) {
    const params = this.marking() ? new URLSearchParams() : this.filters();
    params.set("_part", "run_events");
    params.set("after", this.numbers.at(place) - 1);
    params.set("limit", count);
    const answer = await fetch(`/runs/${this.run}?${params}`, { headers: { "HX-Request": "true" } });
    if (!answer.ok) throw new Error(`events: ${answer.status}`);
    const holder = document.createElement("template");
    holder.innerHTML = await answer.text();
    return [...holder.content.querySelectorAll(".event")];
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    if (Math.abs(scrollTop - this.placed) < 2) return; // it was not a person
    this.placed = scrollTop;
    const before = this.following;
    this.following = scrollHeight - scrollTop - clientHeight < 40 && (!this.final || before);
    if (before !== this.following) this.#tellCount();
  }

  #tellCount() {
    this.list.querySelector("#no-events").hidden = this.numbers.count > 0;
    this.onCount(this.numbers.count, this.hits?.count ?? null, this.following);
  }
}
