// One line for each step; on a terminal it counts the seconds and shows what goes on.
export class Progress {
  #title;
  #live = process.stdout.isTTY === true;
  #started = Date.now();
  #doing = "";
  #timer;

  constructor(title) {
    this.#title = title;
    if (this.#live) {
      this.#timer = setInterval(() => this.#draw(), 1000);
      this.#draw();
    } else {
      process.stdout.write(title);
    }
  }

  /** Shows the last line that a program printed. */
  detail(line) {
    this.#doing = line.trim();
  }

  get seconds() {
    return Math.round((Date.now() - this.#started) / 1000);
  }

  finish(outcome) {
    clearInterval(this.#timer);
    process.stdout.write(this.#live ? `\r\x1b[K${this.#title} ${outcome}\n` : ` ${outcome}\n`);
  }

  #draw() {
    const line = `${this.#title} ${this.seconds} s  ${this.#doing}`;
    process.stdout.write(`\r\x1b[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
  }
}
