import type { Board } from "../useItems";
import emptySlipway from "../assets/empty-slipway.png";
import { ItemRow } from "./ItemRow";

export function ItemList({ board }: { board: Board }) {
  return (
    <section className="card" aria-labelledby="items-title" aria-busy={board.phase === "loading"}>
      <h2 id="items-title">Items</h2>
      {board.error && (
        <p className="error" role="alert">
          {board.error}
        </p>
      )}
      <Body board={board} />
    </section>
  );
}

function Body({ board }: { board: Board }) {
  if (board.phase === "loading") return <p role="status">Loading the items…</p>;
  if (board.phase === "failed") {
    return (
      <button type="button" onClick={board.reload}>
        Try again
      </button>
    );
  }
  if (board.items.length === 0) {
    return (
      <div className="empty">
        <img src={emptySlipway} alt="" width="560" height="360" />
        <p role="status">Nothing on the slipway. Add the first item above.</p>
      </div>
    );
  }
  const open = board.items.filter((item) => !item.done).length;
  return (
    <>
      <p role="status" className="help">
        {open} of {board.items.length} still to do
      </p>
      <ul className="items">
        {board.items.map((item) => (
          <ItemRow key={item.id} item={item} onTick={board.tick} onDelete={board.remove} />
        ))}
      </ul>
    </>
  );
}
