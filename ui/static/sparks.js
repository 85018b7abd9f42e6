/* Small lines of the newest prices and edges, on a canvas each; drawn only while it is on the screen. */
(function () {
  "use strict";
  const Tickloop = (window.Tickloop = window.Tickloop || {});
  const [WIDTH, HEIGHT, MARGIN] = [96, 20, 2]; // CSS pixels

  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) target.spark.onScreen(isIntersecting);
  });

  class Spark {
    /* `zero`: whether the line is about 0, which is then drawn, and colours it. */
    constructor(most, zero) {
      Object.assign(this, { most, zero, points: [], shown: false, stale: false });
      this.canvas = Tickloop.element("canvas", undefined, "spark");
      this.canvas.spark = this;
      this.canvas.setAttribute("aria-hidden", "true");
      this.canvas.width = WIDTH * devicePixelRatio;
      this.canvas.height = HEIGHT * devicePixelRatio;
      seen.observe(this.canvas);
    }

    set(points) {
      this.points = points.slice(-this.most);
      this.draw();
    }

    /* Add a point, or change the newest one. */
    put(value, isNew) {
      if (isNew || !this.points.length) this.points.push(value);
      else this.points[this.points.length - 1] = value;
      if (this.points.length > this.most) this.points.shift();
      if (isNew) this.draw();
    }

    /* How far the last point is above the first. */
    get rise() {
      const [first, last] = [this.points[0], this.points.at(-1)];
      if (this.points.length < 2) return null;
      return this.zero ? last - first : last / first - 1;
    }

    onScreen(shown) {
      this.shown = shown;
      if (shown && this.stale) this.draw();
    }

    draw() {
      this.stale = !this.shown;
      if (this.stale) return;
      const pen = this.canvas.getContext("2d");
      pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
      pen.clearRect(0, 0, WIDTH, HEIGHT);
      if (this.points.length < 2) return;
      const reach = this.zero ? [...this.points, 0] : this.points;
      const [low, high] = [Math.min(...reach), Math.max(...reach)];
      const x = (i) => MARGIN + (i / (this.points.length - 1)) * (WIDTH - 2 * MARGIN);
      const y = (value) => HEIGHT - MARGIN - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * MARGIN);
      if (this.zero) this.line(pen, "edge", [[0, y(0)], [WIDTH, y(0)]], 0.5);
      const up = this.zero ? this.points.at(-1) > 0 : this.rise >= 0;
      this.line(pen, up ? "up" : "down", this.points.map((value, i) => [x(i), y(value)]), 1.25);
    }

    line(pen, colour, corners, width) {
      pen.beginPath();
      for (const corner of corners) pen.lineTo(...corner);
      pen.strokeStyle = Tickloop.colour(colour);
      pen.lineWidth = width;
      pen.stroke();
    }
  }

  Tickloop.Spark = Spark;
})();
