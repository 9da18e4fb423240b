import { useEffect, useReducer, useState } from "react";
import { addItem, deleteItem, explain, listItems, setDone, type Item } from "./api";

interface State {
  phase: "loading" | "ready" | "failed";
  items: Item[];
  /** What the last request said when it did not work; empty when it did. */
  error: string;
}

type Action =
  | { type: "loading" }
  | { type: "loaded"; items: Item[] }
  | { type: "unloadable"; error: string }
  | { type: "added" | "changed"; item: Item }
  | { type: "deleted"; id: number }
  | { type: "refused"; error: string };

const initial: State = { phase: "loading", items: [], error: "" };

function reduce(state: State, action: Action): State {
  switch (action.type) {
    case "loading":
      return initial;
    case "loaded":
      return { phase: "ready", items: action.items, error: "" };
    case "unloadable":
      return { phase: "failed", items: [], error: action.error };
    case "added":
      return { ...state, items: [...state.items, action.item], error: "" };
    case "changed":
      return { ...state, items: state.items.map((item) => (item.id === action.item.id ? action.item : item)), error: "" };
    case "deleted":
      return { ...state, items: state.items.filter((item) => item.id !== action.id), error: "" };
    case "refused":
      return { ...state, error: action.error };
  }
}

export interface Board extends State {
  /** Each resolves to whether the backend did it; what it said otherwise is in `error`. */
  add: (title: string) => Promise<boolean>;
  tick: (item: Item) => Promise<boolean>;
  remove: (item: Item) => Promise<boolean>;
  reload: () => void;
  /** How often the items were asked for again. */
  round: number;
}

/** The items of the backend. The page shows only what the backend has confirmed. */
export function useItems(token: string): Board {
  const [state, dispatch] = useReducer(reduce, initial);
  const [round, setRound] = useState(0);

  useEffect(() => {
    const abort = new AbortController();
    listItems(abort.signal).then(
      (items) => { dispatch({ type: "loaded", items }); },
      (error: unknown) => {
        if (!abort.signal.aborted) dispatch({ type: "unloadable", error: explain(error) });
      },
    );
    return () => { abort.abort(); };
  }, [round]);

  async function change(work: Promise<Action>): Promise<boolean> {
    try {
      dispatch(await work);
      return true;
    } catch (error) {
      dispatch({ type: "refused", error: explain(error) });
      return false;
    }
  }

  return {
    ...state,
    round,
    add: (title) => change(addItem(title, token).then((item) => ({ type: "added", item }))),
    tick: (item) => change(setDone(item.id, !item.done, token).then((changed) => ({ type: "changed", item: changed }))),
    remove: (item) => change(deleteItem(item.id, token).then(() => ({ type: "deleted", id: item.id }))),
    reload: () => {
      dispatch({ type: "loading" });
      setRound((last) => last + 1);
    },
  };
}
