import { useState } from "react";
import type { Item } from "../api";

interface Props {
  item: Item;
  onTick: (item: Item) => Promise<boolean>;
  onDelete: (item: Item) => Promise<boolean>;
}

export function ItemRow({ item, onTick, onDelete }: Props) {
  const [busy, setBusy] = useState(false);

  async function run(work: (item: Item) => Promise<boolean>): Promise<void> {
    // A disabled control would lose the keyboard focus, so a second request is refused here instead.
    if (busy) return;
    setBusy(true);
    await work(item);
    setBusy(false);
  }

  return (
    <li className={item.done ? "item done" : "item"} aria-busy={busy}>
      <label>
        <input type="checkbox" checked={item.done} onChange={() => void run(onTick)} />
        <span>{item.title}</span>
      </label>
      <button type="button" className="quiet" aria-label={`Delete ${item.title}`} onClick={() => void run(onDelete)}>
        Delete
      </button>
    </li>
  );
}
