/** Moving and zooming of the stage: pointer, pinch, wheel and keys. */
export interface View {
  fit(size: { width: number; height: number }): void;
  /** All of it if it can be read like that, else a part around a box. */
  start(
    size: { width: number; height: number },
    box: { x: number; y: number; width: number; height: number } | undefined,
  ): void;
  /** Brings a box into sight. */
  show(box: { x: number; y: number; width: number; height: number }): void;
  zoom(factor: number): void;
}

const [LEAST, MOST] = [0.08, 2.5];
/** Below this, names cannot be read. */
const READABLE = 0.55;

export function viewOf(stage: HTMLElement, world: HTMLElement): View {
  let [x, y, scale] = [0, 0, 1];
  const pointers = new Map<number, { x: number; y: number }>();

  function apply(glide = false): void {
    world.classList.toggle('glide', glide);
    world.style.transform = `translate(${x}px,${y}px) scale(${scale})`;
  }

  function zoomAt(factor: number, at: { x: number; y: number }, glide = false): void {
    const next = Math.min(MOST, Math.max(LEAST, scale * factor));
    x = at.x - ((at.x - x) * next) / scale;
    y = at.y - ((at.y - y) * next) / scale;
    scale = next;
    apply(glide);
  }

  function local(event: { clientX: number; clientY: number }): { x: number; y: number } {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  const centre = () => ({ x: stage.clientWidth / 2, y: stage.clientHeight / 2 });

  stage.addEventListener('pointerdown', (event) => {
    if (event.target instanceof Element && event.target.closest('button,a')) return;
    pointers.set(event.pointerId, local(event));
    stage.setPointerCapture(event.pointerId);
    stage.classList.add('moving');
  });
  stage.addEventListener('pointermove', (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = local(event);
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (other) {
      const distance = (point: { x: number; y: number }) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      zoomAt(distance(now) / distance(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    } else {
      x += now.x - before.x;
      y += now.y - before.y;
      apply();
    }
    pointers.set(event.pointerId, now);
  });
  for (const end of ['pointerup', 'pointercancel'] as const) {
    stage.addEventListener(end, (event) => {
      pointers.delete(event.pointerId);
      if (pointers.size === 0) stage.classList.remove('moving');
    });
  }
  stage.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey || !event.shiftKey)
        zoomAt(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), local(event));
      else {
        x -= event.deltaX || event.deltaY;
        apply();
      }
    },
    { passive: false },
  );
  stage.addEventListener('keydown', (event) => {
    if (event.target !== stage) return;
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (step) {
      x += step[0] ?? 0;
      y += step[1] ?? 0;
      apply();
    } else if (event.key === '+' || event.key === '=') zoomAt(1.25, centre());
    else if (event.key === '-') zoomAt(0.8, centre());
    else return;
    event.preventDefault();
  });
  // Focus may scroll a clipped box; moving is ours alone.
  stage.addEventListener('scroll', () => stage.scrollTo(0, 0));

  return {
    fit({ width, height }) {
      const room = { width: stage.clientWidth - 32, height: stage.clientHeight - 32 };
      scale = Math.max(LEAST, Math.min(1.1, room.width / width, room.height / height));
      x = (stage.clientWidth - width * scale) / 2;
      y = (stage.clientHeight - height * scale) / 2;
      apply();
    },
    start(size, box) {
      this.fit(size);
      if (scale >= READABLE || !box) return;
      scale = READABLE;
      const room = { width: stage.clientWidth, height: stage.clientHeight };
      // As much of the picture as fits, the box near the middle.
      const middle = (at: number, length: number, all: number) => {
        const wanted = length / 2 - at * scale;
        return all * scale <= length
          ? (length - all * scale) / 2
          : Math.min(16, Math.max(length - all * scale - 16, wanted));
      };
      x = middle(box.x + box.width / 2, room.width, size.width);
      y = middle(box.y + box.height / 2, room.height, size.height);
      apply();
    },
    show(box) {
      if (scale < READABLE / 1.5) scale = READABLE;
      // No further than needed: what was in sight stays there if it can.
      const moved = (at: number, length: number, room: number) => {
        if (length > room - 48) return room / 2 - length / 2;
        return Math.min(room - 24 - length, Math.max(24, at));
      };
      x = moved(box.x * scale + x, box.width * scale, stage.clientWidth) - box.x * scale;
      y = moved(box.y * scale + y, box.height * scale, stage.clientHeight) - box.y * scale;
      apply(true);
    },
    zoom: (factor) => zoomAt(factor, centre(), true),
  };
}
