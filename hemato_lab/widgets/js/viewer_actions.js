// What the keys and buttons of a viewer do.

const PAN_SHARE = 0.15;
const ZOOM_STEP = 1.25;
const DENSITIES_IN_TURN = ["none", "kernel", "grid"];
const MARKS_IN_TURN = ["circle", "outline", "none"];

/** Acts on a view: its `model`, `picture`, `bar`, `panel` and `keyList`. */
export class ViewerActions {
  constructor(view) {
    this.view = view;
    this.order = null;
    this.isPanelOpen = true;
  }

  /** Return what to do by key, for `followKeys`. */
  keys() {
    const zoomIn = () => this.zoom(ZOOM_STEP);
    const zoomOut = () => this.zoom(1 / ZOOM_STEP);
    return {
      ArrowLeft: (event) => this.pan(-1, 0, event),
      ArrowRight: (event) => this.pan(1, 0, event),
      ArrowUp: (event) => this.pan(0, -1, event),
      ArrowDown: (event) => this.pan(0, 1, event),
      "+": zoomIn,
      "=": zoomIn,
      "-": zoomOut,
      "_": zoomOut,
      0: () => this.fit(),
      1: () => this.natural(),
      "[": () => this.turn(-1),
      "]": () => this.turn(1),
      PageUp: () => this.turn(-1),
      PageDown: () => this.turn(1),
      n: () => this.step(1),
      p: () => this.step(-1),
      h: () => this.nextHeat(),
      o: () => this.cycle("marks", MARKS_IN_TURN),
      m: () => this.turnMeasuring(!this.view.picture.ruler.isOn),
      f: () => this.turnFindings(!this.isPanelOpen),
      "?": () => this.view.keyList.toggle(),
      Enter: (event) => this.putPoint(event),
      Escape: () => this.escape(),
    };
  }

  turn(step) {
    this.turnTo(this.view.picture.currentField() + step);
  }

  turnTo(index) {
    const { picture } = this.view;
    if (index < 0 || index >= picture.world.fields.length) return;
    picture.turnTo(index);
    this.view.moved();
  }

  zoom(factor) {
    const { picture } = this.view;
    picture.moveBy((camera) => camera.zoomAt(camera.width / 2, camera.height / 2, factor));
  }

  pan(across, down, event) {
    const share = event.shiftKey ? 1 : PAN_SHARE;
    const { picture } = this.view;
    picture.moveBy((camera) => camera.panBy(across * share * camera.width, down * share * camera.height));
  }

  fit() {
    this.view.picture.fit();
    this.view.moved();
  }

  natural() {
    const { picture } = this.view;
    picture.glideTo(picture.camera.x, picture.camera.y, 1 / (globalThis.devicePixelRatio || 1));
    this.view.moved();
  }

  /** Select the next or previous cell of those shown, in the order in which one reads a film. */
  step(direction) {
    const { picture, table } = this.view;
    this.order ??= table.readingOrder();
    let at = this.placeInOrder(direction);
    do at += direction;
    while (at >= 0 && at < this.order.length && !picture.isShown(this.order[at]));
    if (at < 0 || at >= this.order.length) return;
    const row = this.order[at];
    this.view.select([row]);
    picture.goToCell(row);
    this.view.moved();
    this.view.showCard(row);
  }

  /** Return where in the order the last selected cell is, or the field in view begins or ends. */
  placeInOrder(direction) {
    const { picture, table } = this.view;
    const last = picture.chosen.at(-1);
    if (last !== undefined) return this.order.indexOf(last);
    const field = picture.currentField();
    const begin = this.order.findIndex((row) => table.field[row] >= field);
    if (direction > 0) return (begin < 0 ? this.order.length : begin) - 1;
    const end = this.order.findIndex((row) => table.field[row] > field);
    return end < 0 ? this.order.length : end;
  }

  nextHeat() {
    if (this.view.model.get("um_per_px")) this.cycle("density", DENSITIES_IN_TURN);
  }

  cycle(trait, values) {
    this.view.set({ [trait]: values[(values.indexOf(this.view.model.get(trait)) + 1) % values.length] });
  }

  /** Begin or end measuring. */
  turnMeasuring(isOn) {
    const { picture, bar } = this.view;
    picture.ruler.turn(isOn);
    picture.canvas.classList.toggle("measuring", isOn);
    bar.setMeasuring(isOn);
    picture.redraw();
  }

  /** Set a point of the ruler in the middle of the view. */
  putPoint(event) {
    const { picture } = this.view;
    if (!picture.ruler.isOn || event.target !== picture.canvas) return false;
    picture.putRuler({ x: picture.camera.x, y: picture.camera.y });
    return true;
  }

  turnFindings(isOpen) {
    this.isPanelOpen = isOpen;
    this.view.panel.element.hidden = !isOpen;
    this.view.bar.setFindings(isOpen);
  }

  async fillScreen() {
    const { root, status } = this.view;
    try {
      await (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen());
    } catch (error) {
      status.say(error.message);
    }
  }

  escape() {
    const { keyList, picture, model } = this.view;
    if (keyList.isOpen) keyList.close();
    else if (picture.ruler.isOn) this.turnMeasuring(false);
    else if (model.get("selected").length) this.view.select([]);
    else return false;
    return true;
  }
}
